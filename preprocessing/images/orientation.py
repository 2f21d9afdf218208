"""The EXIF orientation: how the stored rows and columns are to be shown."""

from PIL import Image

_ORIENTATION_TAG = 0x0112


def exif_orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 (upright) where there is none or it makes no sense."""
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except MemoryError:
        raise
    except Exception:  # a broken EXIF block does not make the picture unusable
        return 1
    return value if value in range(1, 9) else 1


def upright(pixels: Image.Image, orientation: int) -> Image.Image:
    """Turns and mirrors stored pixels so that they stand upright.

    Args:
      pixels: as stored.
      orientation: as `exif_orientation` gives it.
    """
    method = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }.get(orientation)
    return pixels if method is None else pixels.transpose(method)
