"""Images in, TFRecords out; runs on any Beam runner, without TFX."""
