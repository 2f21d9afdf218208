"""From records to batches: reading, augmentation, evaluation images."""
