"""Sources: what a corpus can be. Each lists its images and gives their bytes.

`opening.open_source` finds out which it is. Nothing here imports TensorFlow before a TFRecord is
read, so that a source can be looked at before a run starts.
"""
