"""Output shards of a target size, made of part files.

TFRecord files can be joined byte by byte. So workers write parts no larger than a shard, without
knowing of each other, and joining consecutive parts gives the shards: no record is read again,
and which records a shard holds does not depend on who wrote the parts.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from preprocessing import features
from preprocessing.files import records

# Length, its checksum and the checksum of the data, around each record of a TFRecord file.
_RECORD_OVERHEAD_BYTES = 16


@dataclass(frozen=True)
class Part:
    """A part file.

    Attributes:
      path: of the file.
      num_bytes: its size.
      num_records: how many records it has.
    """

    path: str
    num_bytes: int
    num_records: int


@dataclass(frozen=True)
class RecordPosition:
    """Where the records of a part went: a shard's file name, and the first one's position."""

    shard: str
    position: int


class PartWriter:
    """Writes records to as many part files as their size asks for; use it in a `with`."""

    def __init__(self, prefix: str, max_bytes: int):
        """Makes a writer, and no file yet.

        Args:
          prefix: path that the parts begin with; `-000`, `-001` and so on follow.
          max_bytes: no part is larger, unless a single record is.
        """
        self._prefix = prefix
        self._max_bytes = max_bytes
        self._stack = contextlib.ExitStack()
        self._writer = None
        self._sizes: list[int] = []
        self._records: list[int] = []

    def __enter__(self) -> "PartWriter":
        return self

    def __exit__(self, *error) -> None:
        self._stack.__exit__(*error)

    @property
    def parts(self) -> list[Part]:
        """The parts so far; complete after the `with`."""
        sizes = enumerate(zip(self._sizes, self._records, strict=True))
        return [Part(self._path(number), size, count) for number, (size, count) in sizes]

    def write(self, record: bytes) -> tuple[int, int]:
        """Appends a serialised record; returns its part's number and its position there."""
        num_bytes = len(record) + _RECORD_OVERHEAD_BYTES
        if self._writer is None or self._sizes[-1] + num_bytes > self._max_bytes:
            self._stack.close()
            self._sizes.append(0)
            self._records.append(0)
            path = self._path(len(self._sizes) - 1)
            self._writer = self._stack.enter_context(records.record_writer(path))
        self._writer.write(record)
        self._sizes[-1] += num_bytes
        self._records[-1] += 1
        return len(self._sizes) - 1, self._records[-1] - 1

    def _path(self, number: int) -> str:
        return f"{self._prefix}-{number:03d}"


def join_parts(
    parts: list[Part], folder: Path, split: str, shard_bytes: int
) -> dict[str, RecordPosition]:
    """Joins consecutive parts into the shards of a split; the part files are used up.

    Args:
      parts: in the order of their records.
      folder: of the split.
      split: its name.
      shard_bytes: a shard is no larger, unless a single part is.

    Returns:
      Where each part went, by its path. A split without records has one shard, which is empty.
    """
    groups = list(_groups(parts, shard_bytes))
    names = [features.shard_name(split, shard, len(groups)) for shard in range(len(groups))]
    positions: dict[str, RecordPosition] = {}
    for name, group in zip(names, groups, strict=True):
        position = 0
        for part in group:
            positions[part.path] = RecordPosition(name, position)
            position += part.num_records
        shard = folder / name
        if not group:
            shard.touch()
            continue
        os.replace(group[0].path, shard)
        with open(shard, "ab") as target:
            for part in group[1:]:
                with open(part.path, "rb") as source:
                    shutil.copyfileobj(source, target, 1 << 20)
                os.remove(part.path)
    return positions


def _groups(parts: list[Part], shard_bytes: int) -> Iterator[list[Part]]:
    group: list[Part] = []
    size = 0
    for part in parts:
        if group and size + part.num_bytes > shard_bytes:
            yield group
            group, size = [], 0
        group.append(part)
        size += part.num_bytes
    # A dataset without a single shard could not be told from one that is missing.
    yield group
