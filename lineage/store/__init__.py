"""Records and executions in ML Metadata, read through its own library, without TFX."""
