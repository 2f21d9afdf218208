"""Containers of real pictures for tests: TFRecords and tar shards."""

import gzip
import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import tensorflow as tf
from nasty_corpus import encode, picture


def pngs(count: int, first: int = 0) -> list[bytes]:
    """Different PNG files."""
    return [encode(picture(first + number), "PNG") for number in range(count)]


def example(**values: bytes | str | int | float) -> bytes:
    """A serialised `tf.train.Example`; in the names, two underscores stand for a slash."""
    feature = {}
    for name, value in values.items():
        value = value.encode() if isinstance(value, str) else value
        if isinstance(value, bytes):
            made = tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        elif isinstance(value, float):
            made = tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        else:
            made = tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        feature[name.replace("__", "/")] = made
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def write_tfrecord(path: Path, records: Sequence[bytes], compressed: bool = False) -> Path:
    """Writes a TFRecord file with TensorFlow's own writer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), "GZIP" if compressed else "") as writer:
        for record in records:
            writer.write(record)
    return path


def write_tar(path: Path, members: Mapping[str, bytes], compressed: bool = False) -> Path:
    """Writes a tar archive."""
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    data = buffer.getvalue()
    path.write_bytes(gzip.compress(data) if compressed else data)
    return path
