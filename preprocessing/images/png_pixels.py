"""From a PNG's pixel data to 8-bit RGB or grey, of every colour type, depth and transparency."""

import io

import numpy as np
from PIL import Image, PngImagePlugin

from preprocessing.images import gray16 as gray16_module
from preprocessing.images import png_file
from preprocessing.images.colors import RGB
from preprocessing.images.modes import over
from preprocessing.images.png_file import PngFile


def decode(png: PngFile, background: RGB, gray16: str) -> Image.Image:
    """Decodes the pixels of a file whose stream was checked.

    Args:
      png: the file.
      background: red, green, blue, 0 to 255, of what shows through transparent parts.
      gray16: what becomes of 16-bit grey; see `preprocessing.images.gray16`.

    Returns:
      Mode `L` or `RGB`, stored rows and columns. Of 16-bit colours the high byte. A transparent
      colour (tRNS) is compared at its full depth.

    Raises:
      Exception: of any type, where Pillow does not decode the pixels.
    """
    image = PngImagePlugin.PngImageFile(io.BytesIO(png.plain()))
    image.load()
    if png.color == png_file.GREY and png.depth == 16:
        return _grey_16(png, image, background, gray16)
    if png.color == png_file.GREY_ALPHA and png.depth == 16 and gray16 == gray16_module.STRETCH:
        values = _all_bits(png)
        alpha = (values[..., -1] >> 8).astype(np.uint8)
        grey = gray16_module.to_eight_bits(values[..., 0], gray16, alpha > 0)
        return over(Image.fromarray(grey), Image.fromarray(alpha), background)
    if image.mode in ("LA", "RGBA"):
        return over(image.convert(image.mode.removesuffix("A")), image.getchannel("A"), background)
    color = image.convert("L" if png.color == png_file.GREY else "RGB")
    if png.transparency is None:
        return color
    return over(color, Image.fromarray(_alpha(png, image, color)), background)


def _grey_16(png: PngFile, image: Image.Image, background: RGB, gray16: str) -> Image.Image:
    values = np.asarray(image).astype(np.uint16)
    if png.transparency is None:
        return Image.fromarray(gray16_module.to_eight_bits(values, gray16))
    shown = values != int.from_bytes(png.transparency, "big")
    grey = gray16_module.to_eight_bits(values, gray16, shown)
    return over(Image.fromarray(grey), Image.fromarray(shown.astype(np.uint8) * 255), background)


def _alpha(png: PngFile, image: Image.Image, color: Image.Image) -> np.ndarray:
    """What tRNS says of each pixel: uint8 [H, W], 0 transparent to 255 opaque."""
    if png.color == png_file.PALETTE:
        table = np.full(256, 255, np.uint8)
        table[: len(png.transparency)] = list(png.transparency)
        return table[np.asarray(image)]
    key = np.frombuffer(png.transparency, ">u2")
    if png.depth == 16:
        return (_all_bits(png) != key).any(-1).astype(np.uint8) * 255
    # Of the key only as many bits count as a value has; the values came in the range of 8 bits.
    most = (1 << png.depth) - 1
    key = (key & most) * (255 // most)
    values = np.asarray(color).reshape(*color.size[::-1], -1)  # [H, W, channels]
    return (values != key).any(-1).astype(np.uint8) * 255


def _all_bits(png: PngFile) -> np.ndarray:
    """Pixels with all 16 bits, which Pillow does not give: uint16 [H, W, 3 or 4], RGB."""
    import cv2  # a fifth of a second that few pictures need

    values = cv2.imdecode(np.frombuffer(png.plain(), np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16:
        raise ValueError("OpenCV does not decode the 16-bit pixels")
    return np.concatenate([values[..., 2::-1], values[..., 3:]], axis=-1)
