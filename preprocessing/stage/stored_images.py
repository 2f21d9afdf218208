"""The files in records: those of a dataset, as the model gets them, and those of its source.

Reads only the records that are asked for, each file once, without TensorFlow.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from preprocessing import features
from preprocessing.files import tfrecord
from preprocessing.files.example import parse_record
from preprocessing.ingest import layout


def of_dataset(
    folder: str | Path, rows: Iterable[Mapping[str, Any]]
) -> Iterator[tuple[str, bytes]]:
    """The files of used images of a dataset.

    Args:
      folder: of the dataset.
      rows: of its manifest, with `sha256`, `split`, `shard` and `position`; rows without a shard
        have no record.

    Yields:
      The image's digest and the bytes of a JPEG or PNG, one image in memory at a time. What cannot
      be read is left out: the records may be gone.
    """
    places: dict[Path, dict[int, str]] = {}
    for row in rows:
        if row["shard"]:
            path = layout.split_folder(folder, row["split"]) / row["shard"]
            places.setdefault(path, {})[row["position"]] = row["sha256"]
    return _read(places)


def of_source(folder: str | Path, rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, bytes]]:
    """The files as they were found.

    Args:
      folder: of the source records.
      rows: as in `quarantine.jsonl` and `duplicates.jsonl`, with `sha256`, `split`, `shard` (the
        number of the file of records) and `position`; rows of earlier versions have no place.

    Yields:
      As `of_dataset`; the bytes may be anything.
    """
    places: dict[Path, dict[int, str]] = {}
    shards: dict[str, list[Path]] = {}
    for row in rows:
        if row.get("shard") is None:
            continue
        split = row["split"]
        if split not in shards:
            shards[split] = sorted(layout.split_folder(folder, split).glob(f"{split}-*"))
        if row["shard"] < len(shards[split]):
            path = shards[split][row["shard"]]
            places.setdefault(path, {})[row["position"]] = row["sha256"]
    return _read(places)


def _read(places: Mapping[Path, Mapping[int, str]]) -> Iterator[tuple[str, bytes]]:
    for path, wanted in places.items():
        try:
            with open(path, "rb") as file:
                for position, record in tfrecord.records_at(file, path.stat().st_size, wanted):
                    values = parse_record(record)
                    # Records that were made again may hold others.
                    if values.get(features.SHA256) == wanted[position].encode():
                        yield wanted[position], values.get(features.ENCODED, b"")
        except (OSError, tfrecord.DamagedFileError):  # a page without a picture is better than none
            continue
