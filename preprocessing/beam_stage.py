"""The Beam stage: source records become records of normalised images, or quarantine entries.

A worker owns a source shard: it reads, decodes, shrinks, encodes and writes it, so no picture
passes a Beam shuffle. Output, below one folder, published by one rename:

    Split-train/train-00000-of-00016   shards of a target size, in the order of the source
    Split-eval/eval-00000-of-00004
    labels.txt                         class names; line i (from 0) names label i
    counts.json                        seen, used, quarantined, duplicates; also by split
"""

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam

from preprocessing import features, image_ops, ingest, quarantine, records, shards
from preprocessing.errors import InputError
from preprocessing.publish import staged

COUNTS_FILE = "counts.json"
_BYTES_PER_MB = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is done with each image.

    Attributes:
      max_side_px: the shorter side is shrunk to at most this many pixels.
      jpeg_quality: 1 to 100, of images that are encoded anew.
      max_bad_fraction: share of unusable images, 0 to 1, above which the run stops.
      max_pixels: an image whose header says more is quarantined, not decoded.
      shard_size_mb: target size of an output shard, 10^6 bytes.
    """

    max_side_px: int = 256
    jpeg_quality: int = 95
    max_bad_fraction: float = 0.01
    max_pixels: int = 100_000_000
    shard_size_mb: int = 128


@dataclass(frozen=True)
class SourceShard:
    """What one worker does at a time.

    Attributes:
      split: the split of the shard.
      number: its place in the split, from 0.
      path: of the TFRecord file.
    """

    split: str
    number: int
    path: str

    def parts(self, scratch: str) -> str:
        """Prefix of the part files that this shard becomes."""
        return os.path.join(scratch, f"{self.split}-{self.number:05d}")

    def report(self, scratch: str) -> str:
        """Path of the report on what became of its images."""
        return f"{self.parts(scratch)}.json"


def preprocess(
    source: str,
    output: str,
    quarantine_folder: str,
    *,
    class_names: list[str],
    settings: Settings,
    make_pipeline: Callable[[], beam.Pipeline],
    stopped_folder: str | None = None,
) -> dict[str, Any]:
    """Normalises a dataset that `preprocessing.ingest` wrote.

    Args:
      source: folder of the source records.
      output: folder for the result, empty or absent; filled by one rename at the end.
      quarantine_folder: gets `quarantine.jsonl`.
      class_names: the label of a class is its position.
      settings: what is done with each image.
      make_pipeline: makes the Beam pipeline that does the work. Workers see the same files.
      stopped_folder: gets `quarantine.jsonl` instead when the run stops because of it; by
        default that is `quarantine_folder`, too.

    Returns:
      The counts, as they stand in `counts.json`.

    Raises:
      InputError: too many images are unusable, or all of a split.
    """
    sources = source_shards(source)
    with staged(output) as staging:
        scratch = staging / "scratch"
        scratch.mkdir()
        with make_pipeline() as pipeline:
            _ = (
                pipeline
                | "Shards" >> beam.Create(sources)
                | "Spread" >> beam.Reshuffle()  # names only
                | "ProcessShard"
                >> beam.Map(process_shard, str(scratch), tuple(class_names), settings)
            )
        reports = [json.loads(Path(shard.report(str(scratch))).read_text()) for shard in sources]
        counts = count(reports, source)
        bad = [entry for report in reports for entry in report["quarantined"]]
        problem = quarantine.reason_to_stop(bad, counts, settings.max_bad_fraction)
        if problem:
            path = quarantine.write_quarantine(bad, stopped_folder or quarantine_folder)
            raise InputError(f"{problem}; all of them: {path}")
        quarantine.write_quarantine(bad, quarantine_folder)
        _join_shards(reports, staging, settings.shard_size_mb * _BYTES_PER_MB)
        shutil.rmtree(scratch)
        labels = "".join(f"{name}\n" for name in class_names)
        records.write_text(str(staging / features.CLASS_NAMES_FILE), labels)
        records.write_text(str(staging / COUNTS_FILE), json.dumps(counts, indent=2) + "\n")
    return counts


def source_shards(source: str) -> list[SourceShard]:
    """The source shards of a dataset, in order."""
    return [
        SourceShard(split, number, str(path))
        for split in ingest.SPLITS
        for number, path in enumerate(sorted(ingest.split_folder(source, split).glob(f"{split}-*")))
    ]


def process_shard(
    source: SourceShard, scratch: str, class_names: tuple[str, ...], settings: Settings
) -> None:
    """Normalises the images of one source shard; writes its parts and, at the end, its report."""
    labels = {name.encode(): label for label, name in enumerate(class_names)}
    seen, bad = 0, []
    with shards.PartWriter(source.parts(scratch), settings.shard_size_mb * _BYTES_PER_MB) as writer:
        for record in records.read_records(source.path):
            seen += 1
            values = records.parse_record(record)
            try:
                image = _normalise(values, settings)
            except image_ops.UnusableImageError as error:
                bad.append(_quarantine_entry(values, source.split, error))
            else:
                writer.write(_output_record(values, image, labels))
    report = {
        "split": source.split,
        "seen": seen,
        "parts": [(part.path, part.num_bytes) for part in writer.parts],
        "quarantined": bad,
    }
    records.write_text(source.report(scratch), json.dumps(report))


def count(reports: list[dict[str, Any]], source: str) -> dict[str, Any]:
    """Adds up what became of the images, and checks that none was lost.

    Args:
      reports: of all source shards.
      source: the dataset, whose index says how many images there are, and which are copies.

    Returns:
      `seen`, `used`, `quarantined` and `duplicates` of all, and the same by split under
      `splits`. A duplicate has the bytes of another image; all but the first of them count.

    Raises:
      RuntimeError: an image of the index was not seen, or one was seen that it does not have.
    """
    splits: dict[str, Counter] = {split: Counter() for split in ingest.SPLITS}
    for report in reports:
        bad = len(report["quarantined"])
        splits[report["split"]].update(
            seen=report["seen"], used=report["seen"] - bad, quarantined=bad
        )
    listed, duplicates = Counter(), Counter()
    known: set[bytes] = set()
    for path in ingest.index_files(source):
        for entry in ingest.read_index(path):
            listed[entry["split"]] += 1
            digest = bytes.fromhex(entry["sha256"])
            duplicates[entry["split"]] += digest in known
            if entry["bytes"]:  # empty and unreadable files are no copies of each other
                known.add(digest)
    for split, counts in splits.items():
        if counts["seen"] != listed[split]:
            raise RuntimeError(
                f"{source}: split {split} has {counts['seen']} records, its index {listed[split]}"
            )
        counts["duplicates"] = duplicates[split]
    names = ("seen", "used", "quarantined", "duplicates")
    by_split = {split: {name: counts[name] for name in names} for split, counts in splits.items()}
    total = {name: sum(counts[name] for counts in by_split.values()) for name in names}
    return {**total, "splits": by_split}


def _normalise(values: dict[str, Any], settings: Settings) -> image_ops.EncodedImage:
    if features.READ_ERROR in values:
        detail = values[features.READ_ERROR].decode()
        raise image_ops.UnusableImageError(quarantine.UNREADABLE, detail)
    return image_ops.normalise(
        values[features.ENCODED],
        max_side_px=settings.max_side_px,
        jpeg_quality=settings.jpeg_quality,
        max_pixels=settings.max_pixels,
    )


def _output_record(
    values: dict[str, Any], image: image_ops.EncodedImage, labels: dict[bytes, int]
) -> bytes:
    return records.make_record(
        {
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


def _quarantine_entry(
    values: dict[str, Any], split: str, error: image_ops.UnusableImageError
) -> dict[str, Any]:
    return {
        "uri": values[features.FILENAME].decode(errors="backslashreplace"),
        "sha256": values[features.SHA256].decode(),
        "bytes": len(values[features.ENCODED]),
        "class": values[features.CLASS_TEXT].decode(),
        "split": split,
        "reason": error.reason,
        "detail": error.detail,
    }


def _join_shards(reports: list[dict[str, Any]], staging: Path, shard_bytes: int) -> None:
    for split in ingest.SPLITS:
        folder = ingest.split_folder(staging, split)
        folder.mkdir()
        of_split = [report for report in reports if report["split"] == split]
        parts = [shards.Part(*part) for report in of_split for part in report["parts"]]
        shards.join_parts(parts, folder, split, shard_bytes)
