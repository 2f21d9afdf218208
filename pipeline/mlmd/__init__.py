"""ML Metadata: the connection, what earlier runs left there, the record of a run."""
