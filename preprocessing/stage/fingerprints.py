"""A thumbnail of each used image, by which near-duplicates are found; see `near_duplicates`."""

from PIL import Image

SIDE_PX = 12
# RGB, uint8, row by row.
NUM_BYTES = SIDE_PX * SIDE_PX * 3
_SUFFIX = ".thumbnails"


def thumbnail(pixels: Image.Image) -> bytes:
    """The picture shrunk to 12 x 12 pixels, hardly another one at another size: `NUM_BYTES` bytes.

    Args:
      pixels: mode `RGB` or `L`, uint8, upright.
    """
    # In two steps, of which the first is cheap: 0.1 ms at 256 px. Pillow's BOX takes whole pixels
    # only, so that 64 and 60 px gave pictures that differed by a tenth of their contrast.
    small = pixels.resize((SIDE_PX, SIDE_PX), Image.Resampling.HAMMING, reducing_gap=2.0)
    return small.convert("RGB").tobytes()


def path_of(parts: str) -> str:
    """The file with the thumbnails of the used images of a source shard, in their order.

    Args:
      parts: prefix of the shard's part files.
    """
    return f"{parts}{_SUFFIX}"
