"""Bytes of an image file in, bytes of a JPEG or PNG that any reader decodes alike out.

    data -> read_header (format and size, no pixel is decoded)
         -> normalise   (limits, decode, shrink, upright, 8-bit RGB or grey, encode)

    modes.py     any kind of pixels -> 8-bit RGB or grey
    upright.py   EXIF orientation

What a file is, is decided by its bytes, never by its ending.
"""

import io
from dataclasses import dataclass

from PIL import Image

from preprocessing.images import file_structure
from preprocessing.images.colors import RGB, WHITE
from preprocessing.images.modes import eight_bit
from preprocessing.images.orientation import exif_orientation, upright

# Pillow's names of the formats that are read. Others count as unknown.
READ_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")

# Reasons, by which a summary groups; details of the single file stand beside them.
EMPTY = "empty file"
UNKNOWN_FORMAT = "unknown format"
DAMAGED = "damaged or truncated"
TOO_LARGE = "too many pixels"

_MAX_JPEG_SIDE_PX = 65_500  # libjpeg's limit

# Pillow's own limit is one number a process. Ours is an argument, checked before any decoding.
Image.MAX_IMAGE_PIXELS = None


class UnusableImageError(Exception):
    """The picture cannot be used.

    Attributes:
      reason: one of the few reasons of this module.
      detail: what was wrong with this file, one line, may be empty.
    """

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = " ".join(detail.split())


@dataclass(frozen=True)
class Header:
    """What the first bytes of a file say.

    Attributes:
      format: `jpeg`, `png`, `gif`, `bmp` or `webp`.
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
        image = _open(data)
    except UnusableImageError:
        return None
    return Header(_format_name(image), image.height, image.width)


def normalise(
    data: bytes,
    *,
    max_side_px: int,
    jpeg_quality: int,
    max_pixels: int,
    background: RGB = WHITE,
) -> EncodedImage:
    """Makes any supported image file one that every reader decodes alike.

    A baseline JPEG or an 8-bit PNG, RGB or grey, upright, without alpha, complete, whose shorter
    side is at most `max_side_px`, comes back byte for byte. Everything else is decoded: the
    first frame, turned upright by its EXIF orientation, alpha over `background`, CMYK and
    palettes to RGB, the high byte of 16-bit values; shrunk with antialiasing so that the shorter
    side is `max_side_px` (never enlarged, aspect kept); and encoded, as PNG if the source is
    lossless and was not shrunk, otherwise as JPEG. Embedded colour profiles are not applied.

    Args:
      data: the file's bytes.
      max_side_px: longest allowed shorter side, pixels.
      jpeg_quality: 1 to 100, of a newly encoded JPEG.
      max_pixels: a picture with more pixels in its header is not decoded.
      background: red, green, blue, 0 to 255, of what shows through transparent parts.

    Raises:
      UnusableImageError: empty, of an unknown format, damaged, or too large.
    """
    limits = {"max_side_px": max_side_px, "max_pixels": max_pixels, "background": background}
    return normalise_with_pixels(data, jpeg_quality=jpeg_quality, **limits)[0]


def normalise_with_pixels(
    data: bytes,
    *,
    max_side_px: int,
    jpeg_quality: int,
    max_pixels: int,
    background: RGB = WHITE,
) -> tuple[EncodedImage, Image.Image]:
    """Does what `normalise` does, for callers that look at the pixels as well.

    Returns:
      The file, and its pixels before they were encoded: mode `RGB` or `L`, uint8, upright.

    Raises:
      UnusableImageError: as `normalise` does.
    """
    image = _open(data)
    if image.width * image.height > max_pixels:
        raise UnusableImageError(TOO_LARGE, f"{image.width} x {image.height}")
    size = (image.width, image.height)
    target = _shrunk(size, max_side_px)
    passes = target == size and _needs_no_change(image, data)
    lossless = image.format != "JPEG" and not _is_lossy_webp(image, data)
    # A JPEG decoder skips work when it may deliver a smaller picture: at least twice the target,
    # so that the antialiasing below still has something to average over.
    if target != size and image.format == "JPEG":
        image.draft(image.mode, (2 * target[0], 2 * target[1]))
    try:
        image.load()
        if image.format == "PNG":
            file_structure.check_png_sums(data)
        if passes:
            encoded = EncodedImage(data, _format_name(image), image.height, image.width)
            return encoded, image
        orientation = exif_orientation(image)
        pixels = eight_bit(image, background)
    except MemoryError:
        raise
    except Exception as error:  # decoders meet hostile bytes: their errors are of any type
        raise UnusableImageError(DAMAGED, str(error)) from error
    if target != size:
        pixels = pixels.resize(target, Image.Resampling.BICUBIC)
    pixels = upright(pixels, orientation)
    return _encode(pixels, jpeg_quality, as_png=lossless and target == size), pixels


def _open(data: bytes) -> Image.Image:
    """Opens the file, decoding no pixels."""
    if not data:
        raise UnusableImageError(EMPTY)
    try:
        image = Image.open(io.BytesIO(data), formats=READ_FORMATS)
    except MemoryError:
        raise
    except Exception as error:  # see normalise
        known = file_structure.is_known(data)
        raise UnusableImageError(DAMAGED if known else UNKNOWN_FORMAT) from error
    if image.width < 1 or image.height < 1:
        raise UnusableImageError(DAMAGED, f"size {image.width} x {image.height}")
    return image


def _format_name(image: Image.Image) -> str:
    # MPO is a JPEG that has more pictures behind its first.
    return "jpeg" if image.format == "MPO" else (image.format or "").lower()


def _shrunk(size: tuple[int, int], max_side_px: int) -> tuple[int, int]:
    """(width, height) with the shorter side at most `max_side_px`, aspect kept, 1 px or more."""
    shorter = min(size)
    if shorter <= max_side_px:
        return size
    width, height = (max(1, round(side * max_side_px / shorter)) for side in size)
    return width, height


def _needs_no_change(image: Image.Image, data: bytes) -> bool:
    """Whether TensorFlow decodes exactly these bytes to the picture that is meant."""
    if image.mode not in ("L", "RGB") or exif_orientation(image) != 1:
        return False
    # Pillow forgives a missing end, TensorFlow does not.
    if image.format == "JPEG":
        return (
            data.endswith(file_structure.JPEG_END)
            and file_structure.jpeg_frame_type(data) == file_structure.BASELINE_FRAME
        )
    if image.format == "PNG":
        # Byte 24 is IHDR's bit depth: Pillow reports 16-bit RGB, and 1-bit grey, as 8-bit.
        plain = data[24] == 8 and "transparency" not in image.info
        return (
            plain
            and not getattr(image, "is_animated", False)
            and data.endswith(file_structure.PNG_END)
        )
    return False


def _is_lossy_webp(image: Image.Image, data: bytes) -> bool:
    # An extended WebP (VP8X) may hold either; it counts as lossy, which is the common case.
    return image.format == "WEBP" and data[12:16] != b"VP8L"


def _encode(pixels: Image.Image, jpeg_quality: int, *, as_png: bool) -> EncodedImage:
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
