"""What the Beam stage does with each image."""

from dataclasses import dataclass

from preprocessing.colors import RGB, WHITE
from preprocessing.duplicates import KEEP, POLICIES

BYTES_PER_MB = 1_000_000


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
