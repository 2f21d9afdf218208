"""From a JPEG's compressed pixels to pixels, by a decoder that does not forgive.

Pillow is silent about what libjpeg complains of: missing blocks that become grey, a stream that no
longer fits its tables. simplejpeg, the same libjpeg-turbo at the same speed, gives its complaints
as errors (benchmarks/preprocess_throughput.py).
"""

import io

import simplejpeg
from PIL import Image, JpegImagePlugin

from preprocessing.images import jpeg_blocks
from preprocessing.images.jpeg_file import JpegFile

_SCALES = (8, 4, 2)
_UNKNOWN_SAMPLING = "Could not determine subsampling"
_FILLED_END = "extraneous bytes before marker 0xd9"


def strict_pixels(file: JpegFile, data: bytes, at_least: tuple[int, int] | None) -> Image.Image:
    """Decodes a JPEG and takes every complaint for an error.

    Args:
      file: how it is built.
      data: the file, or its plain form.
      at_least: (width, height) in pixels that are enough, where fewer frequencies give a smaller
        picture in less time; None for the whole picture.

    Returns:
      Mode `L`, `RGB` or, of four components, `CMYK`.

    Raises:
      ValueError: libjpeg complains; the message is its own.
    """
    limits = _scale(file, at_least) if at_least else {}
    if file.components == 1:
        return Image.fromarray(simplejpeg.decode_jpeg(data, "GRAY", **limits)[..., 0])
    if file.components == 3:
        try:
            return Image.fromarray(simplejpeg.decode_jpeg(data, "RGB", **limits))
        except ValueError as error:
            if _UNKNOWN_SAMPLING not in str(error):
                raise
            jpeg_blocks.check(data)
    if file.components == 4:
        # Pillow knows which of them are stored inverted.
        simplejpeg.decode_jpeg(data, "CMYK", **limits)
    image = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    if at_least:
        image.draft(image.mode, at_least)
    image.load()
    return image


def _scale(file: JpegFile, at_least: tuple[int, int]) -> dict[str, int]:
    """What simplejpeg takes for the smallest scale of 1/2, 1/4 and 1/8 that is enough, if one is.

    Others are slower, and without a limit that fits it would even enlarge.
    """
    for factor in _SCALES:
        width, height = -(-file.width // factor), -(-file.height // factor)
        if width >= at_least[0] and height >= at_least[1]:
            return {"min_width": width, "min_height": height, "min_factor": factor}
    return {}


def decode(file: JpegFile, at_least: tuple[int, int] | None) -> tuple[Image.Image, bytes]:
    """Decodes the first picture of a file without its metadata.

    Returns:
      What `strict_pixels` does, and the file that they were decoded from.

    Raises:
      ValueError: some pixels are missing or damaged, in libjpeg's words.
    """
    plain = file.plain()
    try:
        return strict_pixels(file, plain, at_least), plain
    except ValueError as error:
        if _FILLED_END not in str(error):
            raise
        # Zeros that no pixel comes from do no harm: without them libjpeg misses nothing then.
        unfilled = file.plain(without_filling=True)
        if unfilled == plain:
            raise
        return strict_pixels(file, unfilled, at_least), unfilled


def is_plain_for_pillow(file: JpegFile) -> bool:
    """Whether Pillow takes the segments of a file for those of one picture, without an error.

    It need not see EXIF, of which it would warn if it is broken, and which says nothing of pixels.
    """
    try:
        image = JpegImagePlugin.JpegImageFile(io.BytesIO(file.head()))
    except MemoryError:
        raise
    except Exception:  # of any type, from hostile bytes
        return False
    return "mp" not in image.info  # the index of several pictures
