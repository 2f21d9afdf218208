"""Which way up a picture is: EXIF's orientation, read and applied by graph operations.

Cameras store pixels as the sensor has them, and note in EXIF how the camera was held.
preprocessing/images/orientation.py says what counts, and reads the same from the same files.
"""

from collections.abc import Callable

import tensorflow as tf

from preprocessing import features
from trainer_module.decoding import file_bytes

UPRIGHT = 1
_ORIENTATION_TAG = 0x0112
# Types of whole numbers by their bytes: without a sign, and with one.
_TYPES = {1: (1, 6), 2: (3, 8), 4: (4, 9)}
_ENTRY_BYTES, _MAX_ENTRIES = 12, 1024
_APP0, _APP1, _APP15, _COMMENT, _MARKER = 0xE0, 0xE1, 0xEF, 0xFE, 0xFF
# How a JPEG begins, a segment of JFIF, with its length, and one of a table.
_START, _JFIF, _TABLE = b"\xff\xd8", b"\xff\xe0\0\x10", b"\xff\xdb"
_SECOND_SEGMENT = 20  # where it begins behind JFIF
_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD9))
_EXIF_NAME = b"Exif\0\0"
_WINDOW_BYTES, _MAX_SEGMENTS = 10, 4096
_IMAGE = tf.TensorSpec([None, None, features.CHANNELS], tf.uint8)
_STRING = tf.TensorSpec([], tf.string)


def begins_with_tables(encoded: tf.Tensor) -> tf.Tensor:
    """Whether files begin as a JPEG in which nothing but JFIF stands in front of the tables.

    EXIF counts in front of the tables, where the standard wants it: such a JPEG has no orientation.
    Most records are of this kind, and it is seen in a few operations for a whole batch.

    Args:
      encoded: string [...], files of any format.

    Returns:
      bool [...].
    """

    def holds(begin: int, expected: bytes) -> tf.Tensor:
        return tf.equal(tf.strings.substr(header, begin, len(expected)), expected)

    header = tf.strings.substr(encoded, 0, _SECOND_SEGMENT + len(_TABLE))
    # Filled up, so that a file may be shorter.
    header = tf.strings.join([header, b"\0" * (_SECOND_SEGMENT + len(_TABLE))])
    behind_jfif = holds(0, _START + _JFIF) & holds(_SECOND_SEGMENT, _TABLE)
    return holds(0, _START + _TABLE) | behind_jfif


def of_jpeg(encoded: tf.Tensor) -> tf.Tensor:
    """The orientation of a JPEG (string []): int32 [], 1 to 8, 1 where it has none.

    Where `begins_with_tables` holds, the loop over segments is spared, which would take as long as
    some of the decoding.
    """
    return tf.cond(
        begins_with_tables(encoded),
        lambda: tf.constant(UPRIGHT),
        lambda: _of_segments(encoded),
    )


@file_bytes.rarely(input_signature=[_STRING])
def of_exif(block: tf.Tensor) -> tf.Tensor:
    """The orientation in an EXIF block.

    Args:
      block: string [], from its TIFF header on, or from the name `Exif` in front of it.

    Returns:
      int32 [], 1 to 8; 1 where there is none, or the block makes no sense.
    """
    named = tf.equal(tf.strings.substr(block, 0, len(_EXIF_NAME)), _EXIF_NAME)
    block = tf.cond(named, lambda: file_bytes.part(block, len(_EXIF_NAME), 1 << 30), lambda: block)
    order = tf.strings.substr(block, 0, 4)
    big_endian = tf.equal(order, b"MM\0*")
    readable = (big_endian | tf.equal(order, b"II*\0")) & (tf.strings.length(block) >= 8)
    return tf.cond(readable, lambda: _of_tiff(block, big_endian), lambda: tf.constant(UPRIGHT))


def upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns and mirrors an image as its orientation says.

    Args:
      image: uint8 [H, W, 3].
      orientation: int32 [], 1 to 8.

    Returns:
      uint8 [H, W, 3] or, for 5 to 8, [W, H, 3].
    """
    return _change_if(orientation > UPRIGHT, lambda pixels: _turned(pixels, orientation), image)


@file_bytes.rarely(input_signature=[_STRING])
def _of_segments(encoded: tf.Tensor) -> tf.Tensor:
    size = tf.strings.length(encoded)

    def step(at: tf.Tensor, exif: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, ...]:
        window = tf.cast(file_bytes.window(encoded, at, _WINDOW_BYTES), tf.int32)
        marker, length = window[1], tf.maximum(window[2] * 256 + window[3], 2)
        found = (marker == _APP1) & tf.reduce_all(tf.equal(window[4:], tuple(_EXIF_NAME)))
        # Between segments there may be other bytes, and a marker may be filled up with further
        # 0xFF in front.
        outside = (window[0] != _MARKER) | (marker == _MARKER) | (marker == 0)
        found &= tf.logical_not(outside)
        alone = tf.reduce_any(tf.equal(marker, _WITHOUT_LENGTH))
        following = at + tf.where(outside, 1, tf.where(alone, 2, 2 + length))
        over = found | (following >= size)
        is_metadata = ((marker >= _APP0) & (marker <= _APP15)) | (marker == _COMMENT)
        over |= tf.logical_not(outside | alone | is_metadata)
        return following, tf.where(found, at, exif), tf.logical_not(over)

    # Segment by segment, from behind the two bytes with which every JPEG starts.
    _, exif, _ = tf.while_loop(
        lambda at, exif, going: going,
        step,
        (tf.constant(2), tf.constant(0), size > 2),
        parallel_iterations=1,
        maximum_iterations=_MAX_SEGMENTS,
    )

    def of_segment() -> tf.Tensor:
        length = file_bytes.number(file_bytes.window(encoded, exif + 2, 2), 0, 2, True)
        return of_exif(file_bytes.part(encoded, exif + 4, tf.maximum(length - 2, 0)))

    return tf.cond(exif > 0, of_segment, lambda: tf.constant(UPRIGHT))


def _of_tiff(block: tf.Tensor, big_endian: tf.Tensor) -> tf.Tensor:
    data = tf.io.decode_raw(block, tf.uint8)
    size = tf.size(data, tf.int64)
    directory = tf.minimum(file_bytes.number(data, 4, 4, big_endian), size)
    count = tf.minimum(file_bytes.number(data, directory, 2, big_endian), _MAX_ENTRIES)
    begin = tf.minimum(directory + 2, size)
    entries = data[begin : begin + count * _ENTRY_BYTES]
    whole = tf.size(entries) // _ENTRY_BYTES * _ENTRY_BYTES
    entries = tf.cast(tf.reshape(entries[:whole], [-1, _ENTRY_BYTES]), tf.int64)

    def numbers(column: int, num_bytes: int) -> tf.Tensor:  # int64 [entries]
        powers = [256**power for power in range(num_bytes)]
        weights = tf.where(big_endian, tf.constant(powers[::-1], tf.int64), powers)
        return tf.reduce_sum(entries[:, column : column + num_bytes] * weights, axis=1)

    kind = numbers(2, 2)
    is_number, values = tf.zeros_like(kind, tf.bool), tf.zeros_like(kind)
    for num_bytes, kinds in _TYPES.items():
        fits = tf.reduce_any(tf.equal(kind[:, None], kinds), axis=1)
        is_number |= fits
        values = tf.where(fits, numbers(8, num_bytes), values)
    is_it = (numbers(0, 2) == _ORIENTATION_TAG) & is_number & (numbers(4, 4) == 1)
    # Of several the last counts, as for other readers.
    value = tf.reduce_sum(tf.boolean_mask(values, is_it)[-1:])
    return tf.cast(tf.where((value >= 1) & (value <= 8), value, UPRIGHT), tf.int32)


@file_bytes.rarely(input_signature=[_IMAGE, tf.TensorSpec([], tf.int32)])
def _turned(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    def among(*values: int) -> tf.Tensor:
        return tf.reduce_any(tf.equal(orientation, values))

    image = _change_if(orientation >= 5, lambda pixels: tf.transpose(pixels, [1, 0, 2]), image)
    image = _change_if(among(2, 3, 6, 7), lambda pixels: tf.reverse(pixels, [1]), image)
    return _change_if(among(3, 4, 7, 8), lambda pixels: tf.reverse(pixels, [0]), image)


def _change_if(
    condition: tf.Tensor, change: Callable[[tf.Tensor], tf.Tensor], image: tf.Tensor
) -> tf.Tensor:
    result = tf.cond(condition, lambda: change(image), lambda: image)
    return tf.ensure_shape(result, _IMAGE.shape)
