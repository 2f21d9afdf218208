"""TFRecord files of `tf.train.Example`s: written whole or not at all, read one by one."""

import contextlib
from collections.abc import Iterator, Mapping

import tensorflow as tf

from preprocessing.files import tfrecord
from preprocessing.files.example import Value, parse_record
from preprocessing.files.new_file import new_file

__all__ = ["make_record", "parse_record", "read_records", "record_writer"]


def make_record(values: Mapping[str, Value]) -> bytes:
    """Serialises one record; the same values give the same bytes.

    Args:
      values: key to bytes, int or float, as `preprocessing.features` says.
    """
    example = tf.train.Example()
    for key, value in values.items():
        feature = example.features.feature[key]
        if isinstance(value, bytes):
            feature.bytes_list.value.append(value)
        elif isinstance(value, float):
            feature.float_list.value.append(value)
        else:
            feature.int64_list.value.append(value)
    # The order of a protobuf map is undefined otherwise.
    return example.SerializePartialToString(deterministic=True)


def read_records(path: str) -> Iterator[bytes]:
    """Yields the serialised records of an uncompressed TFRecord file, in order.

    Plain Python, no tf.data: that would claim the GPU for a data step.

    Raises:
      tfrecord.DamagedFileError: it is truncated or corrupted.
    """
    with open(path, "rb", buffering=1 << 20) as file:
        yield from tfrecord.read_records(file)


@contextlib.contextmanager
def record_writer(path: str) -> Iterator[tf.io.TFRecordWriter]:
    """Writes an uncompressed TFRecord file, which appears under its name when it is complete."""
    with new_file(path) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
        yield writer
