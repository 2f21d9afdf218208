"""Bytes of an image file in, bytes of a JPEG or PNG that any reader decodes alike out.

data -> read_header (format and size, no pixel is decoded)
     -> normalise   (limits, decode, shrink, upright, 8-bit RGB or grey, encode)

formats.py       what a file is
pictures.py      a file's size, and its pixels, complete or not at all
modes.py         any kind of pixels -> 8-bit RGB or grey
orientation.py   EXIF orientation
"""

import io
from dataclasses import dataclass

from PIL import Image

from preprocessing.images.colors import RGB, WHITE
from preprocessing.images.gray16 import AS_IS
from preprocessing.images.orientation import upright
from preprocessing.images.pictures import Decoded, Picture, open_picture
from preprocessing.images.unusable import DAMAGED, TOO_LARGE, UnusableImageError

_MAX_JPEG_SIDE_PX = 65_500  # libjpeg's limit
# What TensorFlow decodes at most: pixels in all, and pixels of a side, which is libpng's limit.
_TENSORFLOW_PIXELS, _TENSORFLOW_SIDE_PX = (1 << 29) - 1, 1_000_000


@dataclass(frozen=True)
class Header:
    """What the first bytes of a file say.

    Attributes:
      format: `jpeg`, `png`, `gif`, `bmp`, `webp`, `tiff` or `avif`.
      height: rows as stored, before any EXIF rotation, pixels, 1 or more.
      width: columns as stored, pixels, 1 or more.
    """

    format: str
    height: int
    width: int


@dataclass(frozen=True)
class EncodedImage:
    """A file that TensorFlow decodes: baseline JPEG or 8-bit PNG, RGB or grey, upright.

    Attributes:
      data: the file's bytes.
      format: `jpeg` or `png`.
      height: pixels, 1 or more.
      width: pixels, 1 or more.
    """

    data: bytes
    format: str
    height: int
    width: int


def read_header(data: bytes) -> Header | None:
    """Reads format and size; None where the bytes are no image of a known format."""
    try:
        picture = open_picture(data)
    except UnusableImageError:
        return None
    width, height = picture.size
    return Header(picture.format, height, width)


def normalise(
    data: bytes,
    *,
    max_side_px: int,
    jpeg_quality: int,
    max_pixels: int,
    background: RGB = WHITE,
    gray16: str = AS_IS,
) -> EncodedImage:
    """Makes any supported image file one that every reader decodes alike.

    A baseline JPEG or an 8-bit PNG, RGB or grey, upright, without alpha, complete, about which no
    decoder complains, whose shorter side is at most `max_side_px`, comes back byte for byte; where
    only its metadata, or what lies behind its end, is at fault, without that, its compressed
    pixels as they were. Everything else is decoded: the first frame, turned upright by its EXIF
    orientation, alpha over `background`, CMYK and palettes to RGB, 16-bit values to 8; shrunk
    with antialiasing so that the shorter side is `max_side_px` (never enlarged, aspect kept); and
    encoded, as PNG if the source is lossless and was not shrunk, otherwise as JPEG. Embedded
    colour profiles are not applied.

    Args:
      data: the file's bytes.
      max_side_px: longest allowed shorter side, pixels.
      jpeg_quality: 1 to 100, of a newly encoded JPEG.
      max_pixels: a picture with more pixels in its header is not decoded.
      background: red, green, blue, 0 to 255, of what shows through transparent parts.
      gray16: what becomes of 16-bit grey; see `preprocessing.images.gray16`.

    Raises:
      UnusableImageError: empty, of an unknown format, damaged or incomplete, or too large.
    """
    limits = {"max_side_px": max_side_px, "max_pixels": max_pixels}
    colors = {"background": background, "gray16": gray16}
    return normalise_with_pixels(data, jpeg_quality=jpeg_quality, **limits, **colors)[0]


def normalise_with_pixels(
    data: bytes,
    *,
    max_side_px: int,
    jpeg_quality: int,
    max_pixels: int,
    background: RGB = WHITE,
    gray16: str = AS_IS,
) -> tuple[EncodedImage, Image.Image]:
    """Does what `normalise` does, for callers that look at the pixels as well.

    Returns:
      The file, and its pixels before they were encoded: mode `RGB` or `L`, uint8, upright.

    Raises:
      UnusableImageError: as `normalise` does.
    """
    picture = open_picture(data)
    decoded, target = _decode(picture, max_side_px, max_pixels, background, gray16)
    if decoded.file is not None and target == picture.size:
        _check_for_tensorflow(decoded.pixels)
        width, height = target
        return EncodedImage(decoded.file, picture.format, height, width), decoded.pixels
    pixels = _finished(decoded, target)
    as_png = decoded.lossless and target == picture.size
    return _encode(pixels, jpeg_quality, as_png=as_png), pixels


def small_pixels(
    data: bytes, *, max_side_px: int, max_pixels: int, background: RGB = WHITE
) -> Image.Image:
    """The pixels that `normalise` would encode: mode `RGB` or `L`, uint8, upright.

    Raises:
      UnusableImageError: as `normalise` does.
    """
    picture = open_picture(data)
    return _finished(*_decode(picture, max_side_px, max_pixels, background, AS_IS))


def _decode(
    picture: Picture, max_side_px: int, max_pixels: int, background: RGB, gray16: str
) -> tuple[Decoded, tuple[int, int]]:
    """The pixels of a file, at least as large as they shall be, and that (width, height)."""
    width, height = picture.size
    if width * height > max_pixels:
        raise UnusableImageError(TOO_LARGE, f"{width} x {height}")
    target = _shrunk(picture.size, max_side_px)
    # A JPEG decoder skips work when it may deliver a smaller picture: at least twice the target,
    # so that the antialiasing still has something to average over.
    enough = None if target == picture.size else (2 * target[0], 2 * target[1])
    try:
        return picture.decode(enough, background, gray16), target
    except (MemoryError, UnusableImageError):
        raise
    except Image.DecompressionBombError as error:  # Pillow's own limit, of the tiles of a TIFF
        raise UnusableImageError(TOO_LARGE, str(error)) from error
    except Exception as error:  # decoders meet hostile bytes: their errors are of any type
        raise UnusableImageError(DAMAGED, str(error)) from error


def _shrunk(size: tuple[int, int], max_side_px: int) -> tuple[int, int]:
    """(width, height) with the shorter side at most `max_side_px`, aspect kept, 1 px or more."""
    shorter = min(size)
    if shorter <= max_side_px:
        return size
    width, height = (max(1, round(side * max_side_px / shorter)) for side in size)
    return width, height


def _finished(decoded: Decoded, target: tuple[int, int]) -> Image.Image:
    pixels = decoded.pixels
    if pixels.size != target:
        pixels = pixels.resize(target, Image.Resampling.BICUBIC)
    return upright(pixels, decoded.orientation)


def _check_for_tensorflow(pixels: Image.Image) -> None:
    width, height = pixels.size
    if width * height > _TENSORFLOW_PIXELS or max(width, height) > _TENSORFLOW_SIDE_PX:
        raise UnusableImageError(TOO_LARGE, f"{width} x {height}, more than TensorFlow decodes")


def _encode(pixels: Image.Image, jpeg_quality: int, *, as_png: bool) -> EncodedImage:
    _check_for_tensorflow(pixels)
    # A new image carries no EXIF, no profile and no comment into the file.
    pixels.info = {}
    buffer = io.BytesIO()
    if as_png or max(pixels.size) > _MAX_JPEG_SIDE_PX:
        pixels.save(buffer, "PNG")
        image_format = "png"
    else:
        pixels.save(buffer, "JPEG", quality=jpeg_quality)
        image_format = "jpeg"
    return EncodedImage(buffer.getvalue(), image_format, pixels.height, pixels.width)
