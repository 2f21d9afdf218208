"""Pictures of a page: small files inside it, of bounded number and size.

A page is one file of at most 5 MB, whatever the corpus. No picture has more than
`MAX_THUMBNAIL_BYTES`, a third more as text, and each section shows a bounded number of them.
"""

import base64
import io
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from preprocessing import features
from preprocessing.files import digest_table
from preprocessing.files.digest import sha256_of
from preprocessing.images import image_ops, partial
from preprocessing.images.unusable import UnusableImageError
from preprocessing.stage import stored_images
from preprocessing.stage.options import PictureOptions

THUMBNAIL_PX = 96
MAX_THUMBNAIL_BYTES = 8_000
_JPEG_QUALITIES = (85, 60, 30)
# A larger source file is not read for a thumbnail.
_MAX_SOURCE_BYTES = 50_000_000


def thumbnail(data: bytes, options: PictureOptions, *, damaged: bool = False) -> str:
    """A file as a data URI of at most `THUMBNAIL_PX` by as many pixels.

    Args:
      data: the file's bytes.
      options: how it is decoded.
      damaged: whether what can still be seen of a damaged file is shown.

    Returns:
      The URI, of at most `MAX_THUMBNAIL_BYTES` before they are text; empty where the file cannot
      be decoded, has more pixels than `options.max_pixels`, or does not get small enough.
    """
    limits = {"max_side_px": THUMBNAIL_PX, "max_pixels": options.max_pixels}
    try:
        try:
            pixels = image_ops.small_pixels(data, background=options.background_rgb, **limits)
        except UnusableImageError:
            if not damaged:
                raise
            pixels = partial.partial_pixels(data, **limits)
    except UnusableImageError:
        return ""
    return _data_uri(pixels)


def of_images(
    dataset: Path | None, images: Mapping[str, str], options: PictureOptions
) -> dict[str, str]:
    """Thumbnails of images of a dataset.

    Args:
      dataset: its folder; None or without records and manifest, the source files are tried.
      images: the source file's URI by the image's digest; few of them.
      options: how they are decoded.

    Returns:
      A data URI by digest; an image that cannot be shown is missing.
    """
    shown: dict[str, str] = {}
    manifest = dataset / features.MANIFEST_FILE if dataset is not None else None
    if images and manifest is not None and manifest.is_file():
        rows = digest_table.find(str(manifest), images)
        for digest, data in stored_images.of_dataset(dataset, rows):
            shown[digest] = thumbnail(data, options)
    for digest, uri in images.items():
        if not shown.get(digest):
            shown[digest] = thumbnail(source_file(uri, digest), options)
    return {digest: image for digest, image in shown.items() if image}


def source_file(uri: str, sha256: str) -> bytes:
    """The bytes of a source file that still is what it was; none where it is not."""
    path = Path(uri)
    try:
        if not path.is_file() or path.stat().st_size > _MAX_SOURCE_BYTES:
            return b""
        data = path.read_bytes()
    except (OSError, ValueError):  # a page without a picture is better than none
        return b""
    return data if sha256_of(io.BytesIO(data)) == sha256 else b""


def _data_uri(pixels: Image.Image) -> str:
    pixels.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    pixels.info = {}  # a comment, for example, which would be written into the file
    for quality in _JPEG_QUALITIES:
        buffer = io.BytesIO()
        pixels.save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= MAX_THUMBNAIL_BYTES:
            return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return ""
