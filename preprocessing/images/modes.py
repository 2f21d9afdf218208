"""Pixels of any kind that a file may hold become 8-bit RGB or grey."""

import numpy as np
from PIL import Image

from preprocessing.images.colors import RGB


def eight_bit(image: Image.Image, background: RGB) -> Image.Image:
    """Converts decoded pixels; what is transparent is laid over a colour.

    Args:
      image: decoded, of any mode.
      background: red, green, blue, 0 to 255.

    Returns:
      Mode `L` (grey) or `RGB`, uint8, the same size. Of 16-bit values the high byte.
    """
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):  # 16-bit grey
        return _sixteen_bit_grey(image, background)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        below = Image.new("RGBA", rgba.size, (*background, 255))
        return Image.alpha_composite(below, rgba).convert("RGB")
    return image.convert("L" if image.mode == "1" else "RGB")


def _sixteen_bit_grey(image: Image.Image, background: RGB) -> Image.Image:
    values = np.asarray(image).astype(np.uint32)
    # Pillow's convert would clip at 255.
    grey = Image.fromarray((values >> 8).astype(np.uint8))
    key = image.info.get("transparency")
    if key is None:
        return grey
    opaque = Image.fromarray((values != key).astype(np.uint8) * 255)
    return Image.composite(grey.convert("RGB"), Image.new("RGB", image.size, background), opaque)
