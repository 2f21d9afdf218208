"""What can still be seen of a damaged file, for people who look at why it is not used.

Never for a dataset: what is missing is grey or black, and every decoder fills it otherwise.
"""

import contextlib
import io
import warnings
from collections.abc import Iterator

from PIL import Image, ImageFile, ImageOps

from preprocessing.images.pictures import open_picture
from preprocessing.images.unusable import DAMAGED, TOO_LARGE, UnusableImageError


def partial_pixels(data: bytes, *, max_side_px: int, max_pixels: int) -> Image.Image:
    """The pixels that Pillow finds in a file that is damaged or ends too early.

    Not for several threads at once: Pillow's switch for such files holds for the whole process.

    Args:
      data: the file's bytes.
      max_side_px: neither side is longer, pixels.
      max_pixels: a picture with more pixels in its header is not decoded.

    Returns:
      Mode `RGB`, uint8, upright where its EXIF can be read.

    Raises:
      UnusableImageError: it is no picture, has more pixels, or nothing of it can be decoded.
    """
    picture = open_picture(data)
    width, height = picture.size
    if width * height > max_pixels:
        raise UnusableImageError(TOO_LARGE, f"{width} x {height}")
    try:
        with (
            _truncated_allowed(),
            Image.open(io.BytesIO(data), formats=[picture.format.upper()]) as image,
        ):
            image.draft("RGB", (2 * max_side_px, 2 * max_side_px))
            image.load()
            with contextlib.suppress(Exception):  # metadata of damaged files may be anything
                image = ImageOps.exif_transpose(image)
            pixels = image.convert("RGB")
    except MemoryError:
        raise
    except Exception as error:  # decoders meet hostile bytes: their errors are of any type
        raise UnusableImageError(DAMAGED, str(error)) from error
    pixels.thumbnail((max_side_px, max_side_px))
    return pixels


@contextlib.contextmanager
def _truncated_allowed() -> Iterator[None]:
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        with warnings.catch_warnings():
            # Of metadata, and of sizes, for which `max_pixels` is the limit.
            warnings.simplefilter("ignore")
            yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before
