"""ImageExampleGen: an image folder becomes source records, split and shuffled."""
