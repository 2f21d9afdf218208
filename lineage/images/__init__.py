"""From an image to the datasets and models that have it, and from a model to its images."""
