"""EfficientNetV2 training on TFRecords; runs with or without TFX around it."""
