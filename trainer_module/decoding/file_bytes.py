"""The bytes of a file as numbers, in graph operations."""

import functools

import tensorflow as tf

# For what few files need: called, not inlined, so that it costs the others nothing. A graph pays
# for the operations of branches that it does not take, too.
rarely = functools.partial(
    tf.function, autograph=False, experimental_attributes={"_noinline": True}
)
# What describes a GIF or BMP stands before its pixels; what is further back is not looked at.
HEADER_BYTES = 1 << 18
# Reading a few bytes past the end gives zeros.
PADDING_BYTES = 16
_ONE_BYTE_STRINGS = [bytes([value]) for value in range(256)]


def holds(encoded: tf.Tensor, text: bytes) -> tf.Tensor:
    """Whether a file (string []) holds some bytes: bool [].

    It looks at them where a loop over the file's parts would cost more than decoding it.
    """
    pieces = tf.raw_ops.StringSplitV2(input=encoded[None], sep=text, maxsplit=1)
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


def part(encoded: tf.Tensor, begin: tf.Tensor, count: tf.Tensor | int) -> tf.Tensor:
    """Some bytes of a file, fewer where it ends.

    Args:
      encoded: string [], the file.
      begin: the first, integer [], 0 or more.
      count: how many, integer [].

    Returns:
      string [].
    """
    begin = tf.minimum(tf.cast(begin, tf.int32), tf.strings.length(encoded))
    return tf.strings.substr(encoded, begin, tf.cast(count, tf.int32))


def window(encoded: tf.Tensor, begin: tf.Tensor, count: int) -> tf.Tensor:
    """Some bytes of a file as numbers; see `part`.

    Returns:
      uint8 [count]; bytes past the end of the file are zeros.
    """
    found = tf.io.decode_raw(part(encoded, begin, count), tf.uint8)
    return tf.ensure_shape(tf.pad(found, [[0, count - tf.size(found)]]), [count])


def number(
    data: tf.Tensor, at: tf.Tensor | int, count: int, big_endian: tf.Tensor | bool
) -> tf.Tensor:
    """An unsigned number in a header.

    Args:
      data: uint8 [N].
      at: where it begins, integer [], 0 or more.
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
    """The file (string []) with the bytes of `new` (string []) from `at` (int32 []) on."""
    after = at + tf.strings.length(new)
    rest = tf.strings.substr(encoded, after, tf.strings.length(encoded) - after)
    return tf.strings.join([tf.strings.substr(encoded, 0, at), new, rest])
