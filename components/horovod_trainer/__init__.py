"""The training, as a TFX component around `trainer_module`."""
