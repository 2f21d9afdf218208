"""ImagePreprocessor: source records become normalised images, labels and a transform graph."""
