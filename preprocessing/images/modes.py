"""Pixels of any kind that Pillow decodes become 8-bit RGB or grey."""

import numpy as np
from PIL import Image

from preprocessing.images import gray16 as gray16_module
from preprocessing.images.colors import RGB
from preprocessing.images.unusable import UNSUPPORTED, UnusableImageError

_WIDE_MODES = ("I", "F")


def eight_bit(image: Image.Image, background: RGB, gray16: str) -> Image.Image:
    """Converts decoded pixels; what is transparent is laid over a colour.

    Args:
      image: decoded, of any mode.
      background: red, green, blue, 0 to 255.
      gray16: what becomes of 16-bit grey; see `preprocessing.images.gray16`. Values of 32 bits
        have no range of their own, and need `stretch`.

    Returns:
      Mode `L` (grey) or `RGB`, uint8, the same size.

    Raises:
      UnusableImageError: values of 32 bits are not to be stretched.
    """
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    if image.mode in _WIDE_MODES:
        return Image.fromarray(_of_wide(np.asarray(image, np.float64), gray16))
    if image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.uint16)  # whatever the order of the bytes
        return Image.fromarray(gray16_module.to_eight_bits(values, gray16))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return over(rgba.convert("RGB"), rgba.getchannel("A"), background)
    return image.convert("L" if image.mode == "1" else "RGB")


def over(color: Image.Image, alpha: Image.Image, background: RGB) -> Image.Image:
    """Lays a picture over a colour.

    Args:
      color: mode `L` or `RGB`.
      alpha: mode `L`, 0 transparent to 255 opaque.
      background: red, green, blue, 0 to 255.

    Returns:
      Mode `RGB`.
    """
    below = Image.new("RGB", color.size, background)
    return Image.composite(color.convert("RGB"), below, alpha)


def _of_wide(values: np.ndarray, gray16: str) -> np.ndarray:
    finite = np.isfinite(values)
    if gray16 != gray16_module.STRETCH or not finite.any():
        raise UnusableImageError(
            UNSUPPORTED, "grey values of 32 bits; preprocessing.gray16: stretch reads them"
        )
    # Onto 16 bits, within what becomes black and white.
    percents = (gray16_module.LOW_PERCENT, gray16_module.HIGH_PERCENT)
    low, high = (gray16_module.nearest_rank(values[finite], percent) for percent in percents)
    scaled = np.nan_to_num((values - low) / max(high - low, np.finfo(np.float64).tiny))
    return gray16_module.to_eight_bits(
        np.round(np.clip(scaled, 0, 1) * 65_535).astype(np.uint16), gray16
    )
