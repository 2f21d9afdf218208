"""Which way up a picture is: EXIF's orientation, read and applied by graph operations.

Cameras store pixels as the sensor has them, and note in EXIF how the camera was held.
"""

from collections.abc import Callable

import tensorflow as tf

from preprocessing import features
from trainer_module.decoding import file_bytes

UPRIGHT = 1
_ORIENTATION_TAG, _SHORT = 0x0112, 3
_ENTRY_BYTES, _MAX_ENTRIES = 12, 1024
_APP1, _START_OF_SCAN, _MARKER = 0xE1, 0xDA, 0xFF
_EXIF_NAME = b"Exif\0\0"
_WINDOW_BYTES = 10
_IMAGE = tf.TensorSpec([None, None, features.CHANNELS], tf.uint8)


def of_jpeg(encoded: tf.Tensor) -> tf.Tensor:
    """The orientation of a JPEG (string []): int32 [], 1 to 8, 1 where it has none."""
    return tf.cond(
        file_bytes.holds(encoded, _EXIF_NAME),
        lambda: _of_segments(encoded),
        lambda: tf.constant(UPRIGHT),
    )


def of_exif(data: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    """The orientation in an EXIF block.

    Args:
      data: uint8 [N], what `file_bytes.header` gives.
      start: int32 [], where the block's TIFF header begins; 0 where there is no block.

    Returns:
      int32 [], 1 to 8; 1 where there is none, or the block makes no sense.
    """
    return tf.cond(start > 0, lambda: _of_tiff(data, start), lambda: tf.constant(UPRIGHT))


def upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns and mirrors an image as its orientation says.

    Args:
      image: uint8 [H, W, 3].
      orientation: int32 [], 1 to 8.

    Returns:
      uint8 [H, W, 3] or, for 5 to 8, [W, H, 3].
    """
    return _change_if(orientation > UPRIGHT, lambda pixels: _turned(pixels, orientation), image)


@file_bytes.rarely(input_signature=[tf.TensorSpec([], tf.string)])
def _of_segments(encoded: tf.Tensor) -> tf.Tensor:
    data = file_bytes.header(encoded)
    last = tf.size(data) - file_bytes.PADDING_BYTES - _WINDOW_BYTES

    def step(at: tf.Tensor, exif: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, ...]:
        window = tf.cast(data[at : at + _WINDOW_BYTES], tf.int32)
        marker, length = window[1], window[2] * 256 + window[3]
        found = (marker == _APP1) & tf.reduce_all(tf.equal(window[4:], tuple(_EXIF_NAME)))
        # A marker may be filled up with further 0xFF in front.
        following = at + tf.where(marker == _MARKER, 1, 2 + length)
        over = (window[0] != _MARKER) | (marker == _START_OF_SCAN) | found | (following > last)
        return following, tf.where(found, at + _WINDOW_BYTES, exif), tf.logical_not(over)

    # Segment by segment, from behind the two bytes with which every JPEG starts.
    _, exif, _ = tf.while_loop(
        lambda at, exif, going: going,
        step,
        (tf.constant(2), tf.constant(0), last >= 2),
        parallel_iterations=1,
    )
    return of_exif(data, exif)


def _of_tiff(data: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    big_endian = tf.equal(data[start], ord("M"))
    size = tf.size(data, tf.int64)
    offset = file_bytes.number(data, start + 4, 4, big_endian)
    directory = tf.minimum(tf.cast(start, tf.int64) + offset, size)
    count = tf.minimum(file_bytes.number(data, directory, 2, big_endian), _MAX_ENTRIES)
    entries = data[directory + 2 : directory + 2 + count * _ENTRY_BYTES]
    whole = tf.size(entries) // _ENTRY_BYTES * _ENTRY_BYTES
    entries = tf.cast(tf.reshape(entries[:whole], [-1, _ENTRY_BYTES]), tf.int32)

    def shorts(column: int) -> tf.Tensor:  # [entries]
        weights = tf.where(big_endian, [256, 1], [1, 256])
        return tf.reduce_sum(entries[:, column : column + 2] * weights, axis=1)

    is_it = (shorts(0) == _ORIENTATION_TAG) & (shorts(2) == _SHORT)
    # Of several the last counts, as for other readers.
    value = tf.reduce_sum(tf.boolean_mask(shorts(8), is_it)[-1:])
    return tf.where((value >= 1) & (value <= 8), value, UPRIGHT)


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
