"""TFX components of the pipeline, one folder a component."""
