"""Random access to TFRecords: where each record lies, and the reading of any of them.

An index of offsets makes the order of the examples a matter of arithmetic: every epoch is a
permutation of the whole split, ranks share it out exactly, and a resumed training continues at
its step without reading what came before.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from preprocessing import features
from preprocessing.errors import InputError
from preprocessing.files import tfrecord
from preprocessing.files.class_names import parse_class_names

_GZIP_MAGIC = b"\x1f\x8b"


class DataError(ValueError):
    """A record is damaged, or holds a picture that cannot be decoded."""


@dataclasses.dataclass(frozen=True)
class RecordIndex:
    """Where the records of a split lie.

    Attributes:
      files: the shards, in order.
      shard: int32 [n], position in `files`.
      offset: int64 [n], where the record itself starts, after its header.
      length: int64 [n], bytes of the record.
      checksum: int64 [n], CRC-32C of the record, as it stands beside it.
    """

    files: tuple[str, ...]
    shard: np.ndarray
    offset: np.ndarray
    length: np.ndarray
    checksum: np.ndarray

    def __len__(self) -> int:
        """Number of records."""
        return len(self.offset)

    @functools.cached_property
    def sha256(self) -> str:
        """Digest of which records there are, in which order; the same however they are sharded."""
        content = np.stack([self.length, self.checksum], axis=1).astype("<i8")
        return hashlib.sha256(content.tobytes()).hexdigest()

    def read(self, indices: Sequence[int]) -> list[bytes]:
        """The records at `indices`, checked against their CRC.

        Raises:
          DataError: a record is damaged; names the file and the offset.
        """
        return [self._read_one(int(index)) for index in indices]

    def _read_one(self, index: int) -> bytes:
        path = self.files[self.shard[index]]
        offset, length = int(self.offset[index]), int(self.length[index])
        with _open(path) as file:
            file.seek(offset)
            body = file.read(length + tfrecord.FOOTER_BYTES)
        complete = len(body) == length + tfrecord.FOOTER_BYTES
        record = tfrecord.checked_record(body) if complete else None
        if record is None:
            raise DataError(f"{self.location(index)} is damaged (CRC differs)")
        return record

    def location(self, index: int) -> str:
        """Where a record lies, in words."""
        start = int(self.offset[index]) - tfrecord.HEADER_BYTES
        return f"{self.files[self.shard[index]]}: the record at offset {start}"


def find_shards(data_dir: str, split_names: Sequence[str]) -> list[str]:
    """The shards of the first of `split_names` that has any, sorted by name.

    Looks for `<data_dir>/<name>-*` and for TFX's layout, `<data_dir>/Split-<name>/<name>-*`.

    Raises:
      InputError: none of them has a shard.
    """
    for name in split_names:
        for folder in (data_dir, f"{data_dir}/Split-{name}"):
            shards = [file for file in _files(folder) if file.startswith(f"{name}-")]
            if shards:
                return [f"{folder}/{file}" for file in sorted(shards)]
    wanted = " or ".join(f"{name}-*" for name in split_names)
    raise InputError(f"data_dir must hold TFRecord files named {wanted}. Received: {data_dir!r}")


def _files(folder: str) -> list[str]:
    # Not a glob: the folder's own name may have what is special in a pattern.
    return tf.io.gfile.listdir(folder) if tf.io.gfile.isdir(folder) else []


def build_index(files: Sequence[str]) -> RecordIndex:
    """Reads the headers and checksums of all records, not their contents.

    Raises:
      InputError: a file is compressed, truncated or not a TFRecord file.
    """
    shards, spans = [], []
    for path in files:
        found = _record_spans(path)
        shards.append(len(found))
        spans += found
    offset, length, checksum = np.asarray(spans, np.int64).reshape(-1, 3).T.copy()
    shard = np.repeat(np.arange(len(files), dtype=np.int32), shards)
    return RecordIndex(tuple(files), shard, offset, length, checksum)


def _record_spans(path: str) -> list[tuple[int, int, int]]:
    size = tf.io.gfile.stat(path).length
    with _open(path) as file:
        if file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC:
            raise InputError(
                f"{path}: is compressed; training reads records at random, so they must be "
                "uncompressed (images are compressed already)"
            )
        try:
            return list(tfrecord.record_spans(file, size))
        except tfrecord.DamagedFileError as error:
            raise InputError(f"{path}: is damaged, or not a TFRecord file: {error}") from None


def class_names(data_dir: str, num_classes: int) -> list[str]:
    """The class names of a dataset: `labels.txt`, or numbers where only their count is known.

    Raises:
      InputError: there is no `labels.txt` and `num_classes` is 0, or the two disagree, or its
        lines are no class names.
    """
    path = f"{data_dir}/{features.CLASS_NAMES_FILE}"
    if not tf.io.gfile.exists(path):
        if not num_classes:
            raise InputError(
                f"{data_dir} has no {features.CLASS_NAMES_FILE}: add one with a class name a "
                "line, or give num_classes"
            )
        return [str(index) for index in range(num_classes)]
    with tf.io.gfile.GFile(path, "rb") as file:
        names = list(parse_class_names(file.read(), path))
    if num_classes and num_classes != len(names):
        raise InputError(
            f"num_classes must be the number of lines of {path}, {len(names)}. "
            f"Received: {num_classes}"
        )
    return names


def _open(path: str):
    # TensorFlow's file object reads ahead, which random access pays for; locally it isn't needed.
    return tf.io.gfile.GFile(path, "rb") if "://" in path else open(path, "rb", buffering=0)
