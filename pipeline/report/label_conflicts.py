"""What the report shows of copies with different labels: each picture once, and where it stands."""

import base64
import io
import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from preprocessing import features
from preprocessing.files import records, tfrecord
from preprocessing.images import image_ops
from preprocessing.images.unusable import UnusableImageError
from preprocessing.ingest import ingest
from preprocessing.stage import duplicates
from preprocessing.stage.options import PictureOptions

# The page is one file and has to stay small: at most 24 x 8 kB of pictures, a third more as text.
MAX_PICTURES = 24
MAX_COPIES = 4
THUMBNAIL_PX = 96
MAX_THUMBNAIL_BYTES = 8_000
_JPEG_QUALITIES = (85, 60, 30)


def view(lists: Path | None, source: Path | None, options: PictureOptions) -> list[dict[str, Any]]:
    """The first pictures that have copies with different labels.

    Args:
      lists: folder with `duplicates.jsonl`; None or without it, nothing is shown.
      source: folder of the source records, which have the pictures; None: they are not shown.
      options: how pictures are decoded.

    Returns:
      An object for each picture: `image`, a data URI, empty where it cannot be shown; `copies`,
      as they stand in `duplicates.jsonl`, those of different labels first; and `hidden`, the
      number of further copies.
    """
    report = lists / duplicates.REPORT_FILE if lists is not None else None
    if report is None or not report.exists():
        return []
    shown = []
    for copies in itertools.islice(duplicates.read_conflicts(str(report)), MAX_PICTURES):
        named = _labels_first(copies)[:MAX_COPIES]
        data = _file_bytes(source, copies[0]) if source is not None else b""
        image = thumbnail(data, options) if data else ""
        shown.append({"image": image, "copies": named, "hidden": len(copies) - len(named)})
    return shown


def thumbnail(data: bytes, options: PictureOptions) -> str:
    """A file as a data URI of at most `THUMBNAIL_PX` by as many pixels.

    Args:
      data: the file's bytes.
      options: how it is decoded.

    Returns:
      The URI, of at most `MAX_THUMBNAIL_BYTES` before they are text; empty where the file cannot
      be decoded, has more pixels than `options.max_pixels`, or does not get small enough.
    """
    try:
        pixels = image_ops.small_pixels(
            data,
            max_side_px=THUMBNAIL_PX,
            max_pixels=options.max_pixels,
            background=options.background_rgb,
        )
    except UnusableImageError:
        return ""
    pixels.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    pixels.info = {}  # a comment, for example, which would be written into the file
    for quality in _JPEG_QUALITIES:
        buffer = io.BytesIO()
        pixels.save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= MAX_THUMBNAIL_BYTES:
            return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return ""


def _labels_first(copies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The copies in their order, but the first one of each label before all others."""
    numbers: Counter[str] = Counter()

    def number_of_its_label(copy: dict[str, Any]) -> int:
        numbers[copy["class"]] += 1
        return numbers[copy["class"]]

    return sorted(copies, key=number_of_its_label)


def _file_bytes(source: Path, copy: dict[str, Any]) -> bytes:
    """The bytes of a source file, out of its record; none where the record cannot be read."""
    paths = sorted(ingest.split_folder(source, copy["split"]).glob(f"{copy['split']}-*"))
    if copy["shard"] >= len(paths):
        return b""
    path = paths[copy["shard"]]
    try:
        with open(path, "rb") as file:
            spans = tfrecord.record_spans(file, path.stat().st_size)
            offset, length, _ = next(itertools.islice(spans, copy["position"], None), (0, 0, 0))
            file.seek(offset)
            values = records.parse_record(file.read(length))
    except (OSError, tfrecord.DamagedFileError):  # a page without a picture is better than none
        return b""
    same = values.get(features.SHA256) == copy["sha256"].encode()
    return values[features.ENCODED] if same else b""
