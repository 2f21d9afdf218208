"""The processes of a training, without TensorFlow: starting, watching and ending them."""
