"""Pictures of a page: small files inside it, of bounded number and size.

A page is one file of at most 5 MB, whatever the corpus. No picture has more than
`MAX_THUMBNAIL_BYTES`, a third more as text, and each section shows a bounded number of them.
"""

import base64
import io
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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


def with_images(
    dataset: Path | None, rows: Sequence[Mapping[str, Any]], options: PictureOptions
) -> list[dict[str, Any]]:
    """Rows with `sha256` and `uri`, and for each an `image`, empty where it cannot be shown."""
    images = of_images(dataset, {row["sha256"]: row["uri"] for row in rows}, options)
    return [{**row, "image": images.get(row["sha256"], "")} for row in rows]


def of_quarantine(
    source: Path | None, rows: Sequence[Mapping[str, Any]], options: PictureOptions, limit: int
) -> list[dict[str, Any]]:
    """Rows of the quarantine with an `image` of what can still be seen of the file, may be empty.

    Args:
      source: folder of the source records, None where there is none.
      rows: of `quarantine.jsonl`.
      options: how pictures are decoded; one with too many pixels is not.
      limit: at most so many pictures.
    """
    images: dict[str, str] = {}
    stored = stored_images.of_source(source, rows) if source is not None else iter(())
    # Where the records are gone, the source files may still be there.
    files = (
        (row["sha256"], source_file(row["uri"], row["sha256"])) for row in rows if "sha256" in row
    )
    for digest, data in itertools.chain(stored, files):
        if data and digest not in images and len(images) < limit:
            image = thumbnail(data, options, damaged=True)
            images |= {digest: image} if image else {}
    return [{**row, "image": images.get(row.get("sha256"), "")} for row in rows]


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
