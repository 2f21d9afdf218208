"""What the served graph does with the bytes of an image file, in TensorFlow operations."""
