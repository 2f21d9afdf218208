"""The same pipeline on Kubeflow Pipelines v2: compiling it, and running its steps there."""
