"""What the Beam stage does with each image."""

import math
from dataclasses import dataclass

from preprocessing.images.colors import RGB, WHITE
from preprocessing.stage.duplicates import KEEP, POLICIES

BYTES_PER_MB = 1_000_000
# Of the numbers of `Settings`: the smallest and the largest that make sense.
_RANGES = (
    ("max_side_px", 1, math.inf),
    ("jpeg_quality", 1, 100),
    ("max_bad_fraction", 0, 1),
    ("max_pixels", 1, math.inf),
    ("shard_size_mb", 1, math.inf),
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is done with each image.

    Attributes:
      max_side_px: the shorter side is shrunk to at most this many pixels.
      jpeg_quality: 1 to 100, of images that are encoded anew.
      background: red, green, blue, 0 to 255, of what shows through transparent parts.
      max_bad_fraction: share of unusable images, 0 to 1, above which the run stops.
      max_pixels: an image whose header says more is quarantined, not decoded.
      shard_size_mb: target size of an output shard, 10^6 bytes.
      on_duplicate: what becomes of copies: `keep`, `drop` or `fail`; see `duplicates`.
    """

    max_side_px: int = 256
    jpeg_quality: int = 95
    background: RGB = WHITE
    max_bad_fraction: float = 0.01
    max_pixels: int = 100_000_000
    shard_size_mb: int = 128
    on_duplicate: str = KEEP

    def __post_init__(self):
        if self.on_duplicate not in POLICIES:
            raise ValueError(
                f"on_duplicate must be one of {', '.join(POLICIES)}. "
                f"Received: {self.on_duplicate!r}"
            )
        for name, least, most in _RANGES:
            value = getattr(self, name)
            if not least <= value <= most:
                raise ValueError(f"{name} must be from {least} to {most:g}. Received: {value}")
