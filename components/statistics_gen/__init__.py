"""TFX's StatisticsGen, for output folders of any name."""
