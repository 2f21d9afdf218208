"""The bytes of a file as numbers, in graph operations."""

import functools

import tensorflow as tf

# What describes a picture stands before its pixels; what is further back is not looked at.
HEADER_BYTES = 1 << 18
# Reading a few bytes past the end gives zeros.
PADDING_BYTES = 16
# For what few files need: called, not inlined, so that it costs the others nothing. A graph pays
# for the operations of branches that it does not take, too.
rarely = functools.partial(
    tf.function, autograph=False, experimental_attributes={"_noinline": True}
)
_ONE_BYTE_STRINGS = [bytes([value]) for value in range(256)]


def holds(encoded: tf.Tensor, text: bytes) -> tf.Tensor:
    """Whether a file (string []) holds some bytes near its start: bool [].

    It looks at them where a loop over the file's parts would cost more than decoding it.
    """
    first = tf.strings.substr(encoded, 0, HEADER_BYTES)
    pieces = tf.raw_ops.StringSplitV2(input=first[None], sep=text, maxsplit=1)
    return tf.size(pieces.values) > 1


def header(encoded: tf.Tensor) -> tf.Tensor:
    """The first bytes of a file.

    Args:
      encoded: string [], the file.

    Returns:
      uint8 [N + 16]; the last 16 are zeros that are not of the file.
    """
    data = tf.io.decode_raw(tf.strings.substr(encoded, 0, HEADER_BYTES), tf.uint8)
    return tf.pad(data, [[0, PADDING_BYTES]])


def number(
    data: tf.Tensor, at: tf.Tensor | int, count: int, big_endian: tf.Tensor | bool
) -> tf.Tensor:
    """An unsigned number in a header.

    Args:
      data: uint8 [N].
      at: its place, integer [], 0 or more.
      count: its bytes, 1 to 4.
      big_endian: bool [], whether its first byte weighs most.

    Returns:
      int64 []; bytes past the end count as zeros.
    """
    found = tf.cast(data[at : at + count], tf.int64)
    found = tf.pad(found, [[0, count - tf.size(found)]])
    ordered = tf.where(big_endian, found, found[::-1])
    return tf.reduce_sum(ordered * [256**power for power in range(count - 1, -1, -1)])


def byte_string(value: tf.Tensor) -> tf.Tensor:
    """A number from 0 to 255, int32 [], as a string [] of one byte."""
    return tf.gather(tf.constant(_ONE_BYTE_STRINGS), value)


def replaced(encoded: tf.Tensor, at: tf.Tensor, new: tf.Tensor) -> tf.Tensor:
    """The file (string []) with the bytes of `new` (string []) from place `at` (int32 []) on."""
    after = at + tf.strings.length(new)
    rest = tf.strings.substr(encoded, after, tf.strings.length(encoded) - after)
    return tf.strings.join([tf.strings.substr(encoded, 0, at), new, rest])
