"""Submitting a compiled pipeline to Kubeflow Pipelines, following its run, and listing runs."""
