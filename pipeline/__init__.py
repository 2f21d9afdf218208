"""The whole pipeline: configuration, the DAG, the local runner and the command line."""
