"""What a worker does: a shard of source records becomes parts of output shards.

Beside the parts it writes three files, for the process that joins them: `<parts>.rows.jsonl` with
one line per image (`IMAGE_FIELDS` says what is in it), `<parts>.thumbnails` with those of the used
images (see `fingerprints`), and, at the end, `<parts>.json` with sums.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from preprocessing import features
from preprocessing.files import records
from preprocessing.files.new_file import new_file, write_text
from preprocessing.images import image_ops
from preprocessing.images.unusable import UnusableImageError
from preprocessing.ingest import ingest
from preprocessing.problems import NO_CLASS
from preprocessing.stage import copies, duplicates, fingerprints, shards
from preprocessing.stage.options import BYTES_PER_MB, StageOptions
from preprocessing.stage.pixel_sums import PixelSums

# What became of an image.
USED, QUARANTINED, DROPPED = "used", "quarantined", "dropped"

# Of a line of the rows file. `part` and `position` say where the record of a used image is;
# `reason` and `detail` why another is not used. Null where they say nothing.
IMAGE_FIELDS = (
    "sha256",
    "uri",
    "bytes",
    "class",
    "status",
    "reason",
    "detail",
    "part",
    "position",
)


@dataclass(frozen=True)
class SourceShard:
    """A file of source records.

    Attributes:
      split: the split of the shard.
      number: its position in the split, from 0.
      path: of the TFRecord file.
    """

    split: str
    number: int
    path: str

    def parts(self, scratch: str) -> str:
        """Prefix of the part files that this shard becomes."""
        return os.path.join(scratch, f"{self.split}-{self.number:05d}")

    def rows(self, scratch: str) -> Iterator[dict[str, Any]]:
        """What became of its images, in order; see `IMAGE_FIELDS`."""
        with open(f"{self.parts(scratch)}.rows.jsonl", encoding="utf-8") as lines:
            for line in lines:
                yield dict(zip(IMAGE_FIELDS, json.loads(line), strict=True))

    def report(self, scratch: str) -> dict[str, Any]:
        """Its `parts`, and sums: `statuses`, `reasons`, `classes` and `pixels` of used images."""
        return json.loads(Path(f"{self.parts(scratch)}.json").read_text(encoding="utf-8"))


def source_shards(source: str) -> list[SourceShard]:
    """The source shards of a dataset that `ingest` wrote, split by split, in order."""
    return [
        SourceShard(split, number, str(path))
        for split in ingest.SPLITS
        for number, path in enumerate(sorted(ingest.split_folder(source, split).glob(f"{split}-*")))
    ]


def units(sources: Iterable[SourceShard]) -> list[tuple[SourceShard, ...]]:
    """What the workers share: the shards of the same number in all splits.

    Ingestion makes these together, of about the same size for every number, where the shards of
    one split are larger than those of the other: the workers end at about the same time.
    """
    numbers: dict[int, list[SourceShard]] = {}
    for source in sources:
        numbers.setdefault(source.number, []).append(source)
    return [tuple(unit) for _, unit in sorted(numbers.items())]


def process_unit(
    unit: tuple[SourceShard, ...], scratch: str, class_names: tuple[str, ...], options: StageOptions
) -> None:
    """Does `process_shard` with each shard of a unit."""
    for source in unit:
        process_shard(source, scratch, class_names, options)


@dataclass(frozen=True)
class _Outcome:
    """What becomes of an image; `image` and `pixels` of a used one, why not of another."""

    status: str
    reason: str | None = None
    detail: str | None = None
    image: image_ops.EncodedImage | None = None
    pixels: Image.Image | None = None


def process_shard(
    source: SourceShard, scratch: str, class_names: tuple[str, ...], options: StageOptions
) -> None:
    """Normalises the images of one source shard; writes its parts, rows and report.

    Raises:
      RuntimeError: the shard and the index do not belong together.
    """
    labels = {name.encode(): label for label, name in enumerate(class_names)}
    decisions = duplicates.read_decisions(scratch, source.split, source.number)
    statuses, reasons, classes = Counter(), Counter(), Counter()
    sums = PixelSums()
    prefix = source.parts(scratch)
    with (
        new_file(f"{prefix}.rows.jsonl") as rows_path,
        open(rows_path, "w", encoding="utf-8") as rows,
        new_file(fingerprints.path_of(prefix)) as thumbnails_path,
        open(thumbnails_path, "wb") as thumbnails,
        shards.PartWriter(prefix, options.shard_size_mb * BYTES_PER_MB) as writer,
    ):
        for position, record in enumerate(records.read_records(source.path)):
            values = records.parse_record(record)
            outcome = _judge(values, decisions.get(position), labels, options)
            written_at = (None, None)
            if outcome.image is not None:
                written_at = writer.write(_output_record(values, outcome.image, labels))
                sums.add_image(outcome.pixels)
                thumbnails.write(fingerprints.thumbnail(outcome.pixels))
                classes[values[features.CLASS_TEXT].decode()] += 1
            statuses[outcome.status] += 1
            if outcome.status == QUARANTINED:
                reasons[outcome.reason] += 1
            row = (*_identity(values), outcome.status, outcome.reason, outcome.detail, *written_at)
            rows.write(json.dumps(row, ensure_ascii=False) + "\n")
    report = {
        "statuses": statuses,
        "reasons": reasons,
        "classes": classes,
        "pixels": sums.as_json(),
        "parts": [(part.path, part.num_bytes, part.num_records) for part in writer.parts],
    }
    write_text(f"{prefix}.json", json.dumps(report))


def _judge(
    values: dict[str, Any],
    copy: tuple[str, str] | None,
    labels: dict[bytes, int],
    options: StageOptions,
) -> _Outcome:
    """Normalises an image, or says why it is not used; `copy` is its entry in the decisions."""
    if copy is not None:
        sha256, decision = copy
        if values[features.SHA256].decode() != sha256:
            raise RuntimeError("the source records are not in the order of their index")
        if decision == copies.DROPPED:
            return _Outcome(DROPPED, copies.COPY)
        return _Outcome(QUARANTINED, copies.CONFLICT, "")
    try:
        return _Outcome(USED, None, None, *_normalise(values, labels, options))
    except UnusableImageError as error:
        return _Outcome(QUARANTINED, error.reason, error.detail)


def _normalise(
    values: dict[str, Any], labels: dict[bytes, int], options: StageOptions
) -> tuple[image_ops.EncodedImage, Image.Image]:
    if features.PROBLEM in values:
        detail = values.get(features.PROBLEM_DETAIL, b"").decode()
        raise UnusableImageError(values[features.PROBLEM].decode(), detail)
    if values.get(features.CLASS_TEXT) not in labels:
        raise UnusableImageError(NO_CLASS)
    return image_ops.normalise_with_pixels(
        values[features.ENCODED],
        max_side_px=options.max_side_px,
        jpeg_quality=options.jpeg_quality,
        max_pixels=options.max_pixels,
        background=options.background_rgb,
        gray16=options.gray16,
    )


def _output_record(
    values: dict[str, Any], image: image_ops.EncodedImage, labels: dict[bytes, int]
) -> bytes:
    columns = {k: v for k, v in values.items() if k.startswith(features.COLUMN_PREFIX)}
    return records.make_record(
        {
            **columns,
            features.ENCODED: image.data,
            features.FORMAT: image.format.encode(),
            features.HEIGHT: image.height,
            features.WIDTH: image.width,
            features.LABEL: labels[values[features.CLASS_TEXT]],
            features.CLASS_TEXT: values[features.CLASS_TEXT],
            features.FILENAME: values[features.FILENAME],
            features.SHA256: values[features.SHA256],
        }
    )


def _identity(values: dict[str, Any]) -> tuple[str, str, int, str]:
    """The first fields of a row."""
    return (
        values[features.SHA256].decode(),
        values[features.FILENAME].decode(errors="backslashreplace"),
        len(values[features.ENCODED]),
        values.get(features.CLASS_TEXT, b"").decode(),
    )
