"""What counts as unusual."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """Bounds of what is usual.

    Attributes:
      min_side_px: smallest height and width, pixels.
      max_side_px: largest height and width, pixels.
      max_aspect_ratio: largest ratio of the longer side to the shorter, 1 or more.
      min_images_per_class: smallest number of images of a class, over all splits.
      max_class_drift: largest change of any class's or format's share of a split, 0 to 1
        (L-infinity), against the corpus before.
      max_size_drift: largest Jensen-Shannon divergence of the distributions of height, width,
        aspect ratio and number of bytes, 0 to 1, against the corpus before.
    """

    min_side_px: int = 8
    max_side_px: int = 20_000
    max_aspect_ratio: float = 10.0
    min_images_per_class: int = 10
    max_class_drift: float = 0.1
    max_size_drift: float = 0.3
