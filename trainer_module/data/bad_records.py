"""Names the records that a batch could not be made of.

The preprocessing writes only what TensorFlow decodes. Records of other tools, and damaged disks,
need a name: TensorFlow's own error says `Invalid PNG data`, and of which file nobody knows.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

from preprocessing import features
from trainer_module.data.record_index import DataError, RecordIndex
from trainer_module.decoding import decode

_MAX_NAMED = 3
# What TensorFlow puts around the sentence of a decoder.
_DECORATION = re.compile(r"\{\{.*?\}\}|\[Op:.*|\[\[.*")


def named_batches(
    dataset: tf.data.Dataset, index: RecordIndex, examples_of: Callable[[int], Sequence[int]]
) -> Iterator[Any]:
    """The batches of a dataset; an error in making one names the records that it is about.

    Args:
      dataset: its batches come in order.
      index: the records that they are made of.
      examples_of: the examples of a batch, positions in `index`, by its number from 0.

    Yields:
      What the dataset gives.

    Raises:
      DataError: records of a batch are damaged or cannot be decoded. One line.
    """
    batches, number = iter(dataset), 0
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except tf.errors.OpError as error:
            found = [text for text in map(_judge(index), examples_of(number)) if text]
            if not found:
                raise
            more = f"; and {len(found) - _MAX_NAMED} more" if len(found) > _MAX_NAMED else ""
            raise DataError(
                f"{'; '.join(found[:_MAX_NAMED])}{more}. Make the records again without it; the "
                "checkpoints are kept"
            ) from error
        yield batch
        number += 1


def _judge(index: RecordIndex) -> Callable[[int], str]:
    """What says what is wrong with the example at a position; nothing is an empty text."""

    def fault(position: int) -> str:
        try:
            [record] = index.read([position])
        except DataError as error:
            return str(error)
        example = tf.train.Example.FromString(record).features.feature
        encoded, name = (
            example[key].bytes_list.value[:1] for key in (features.ENCODED, features.FILENAME)
        )
        file = name[0].decode("utf-8", "backslashreplace") if name else "of an unknown file"
        where = f"{index.location(position)} ({file})"
        if not encoded:
            return f"{where} has no {features.ENCODED}"
        try:
            decode.decode(tf.constant(encoded[0]))
        except tf.errors.InvalidArgumentError as error:
            return f"{where} cannot be decoded: {_sentence(error.message)}"
        return ""

    return fault


def _sentence(message: str) -> str:
    """What the decoder says, without the names of nodes and files of code around it."""
    lines = (_DECORATION.sub("", line).strip() for line in message.splitlines())
    return [line for line in lines if line and not line.startswith("File ")][-1]
