"""Images whose class is known: one folder per class, or records."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.inference import picture_files
from pipeline.inference.picture_files import list_files
from preprocessing import features
from preprocessing.errors import InputError
from preprocessing.sources import storage


class LabelledImage(NamedTuple):
    """One picture.

    Attributes:
      name: its path, or what the record says where it came from.
      data: the file's bytes; empty where it could not be read.
      label: the name of its class.
    """

    name: str
    data: bytes
    label: str


def read(data: str) -> Iterator[LabelledImage]:
    """Reads a dataset, picture by picture.

    Args:
      data: a folder with a sub-folder of images a class, or a folder of records with an
        evaluation split (`eval-*`, `validation-*`, `val-*`, in `Split-<name>` or not).

    Raises:
      InputError: it is neither, or a record does not say its class.
    """
    folder = Path(data)
    if not folder.is_dir():
        raise InputError(f"DATA must be a folder. Received: {data!r}")
    for split in features.EVAL_SPLIT_NAMES:
        for parent in (folder, folder / f"Split-{split}"):
            shards = sorted(parent.glob(f"{split}-*-of-*"))
            if shards:
                return _records(shards)
    classes = sorted(f for f in folder.iterdir() if f.is_dir() and storage.is_visible(f.name))
    if not any(next(list_files([str(f)]), None) for f in classes):
        raise InputError(
            "DATA must hold a sub-folder of images a class, or records named eval-* or "
            f"validation-*. Received: {data!r}"
        )
    return _files(classes)


def _files(classes: list[Path]) -> Iterator[LabelledImage]:
    for folder in classes:
        for file in list_files([str(folder)]):
            try:
                content = picture_files.read(file)
            except storage.ReadError:
                content = b""
            yield LabelledImage(file, content, folder.name)


def _records(shards: list[Path]) -> Iterator[LabelledImage]:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    for record in tf.data.TFRecordDataset([str(shard) for shard in shards]):
        feature = tf.train.Example.FromString(record.numpy()).features.feature
        encoded, text, name = (
            feature[key].bytes_list.value[:1]
            for key in (features.ENCODED, features.CLASS_TEXT, features.FILENAME)
        )
        if not text:
            raise InputError(f"DATA: a record has no {features.CLASS_TEXT}, the name of its class")
        yield LabelledImage(
            name[0].decode("utf-8", "replace") if name else "",
            encoded[0] if encoded else b"",
            text[0].decode("utf-8", "replace"),
        )
