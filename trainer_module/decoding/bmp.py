"""BMP files, of which TensorFlow decodes those without a palette."""

import tensorflow as tf

from preprocessing import features
from trainer_module.decoding import file_bytes

# Where numbers stand in the file, little-endian.
_PIXELS, _INFO, _WIDTH, _HEIGHT, _BITS, _COMPRESSION = 10, 14, 18, 22, 28, 30
# A shorter one is that of OS/2, which has them elsewhere.
_MIN_INFO_BYTES = 40
_PALETTE_BITS, _COLOR_BITS = (1, 4, 8), (24, 32)
_MAX_COLORS = 256


def decode(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes an uncompressed BMP of 1, 4, 8 (with a palette), 24 or 32 bits a pixel.

    Args:
      encoded: string [], the file.

    Returns:
      uint8 [H, W, 3], RGB.

    Raises:
      tf.errors.InvalidArgumentError: the file is damaged or of another kind.
    """
    data = file_bytes.header(encoded)
    bits = file_bytes.number(data, _BITS, 2, False)
    readable = file_bytes.number(data, _INFO, 4, False) >= _MIN_INFO_BYTES
    readable &= file_bytes.number(data, _COMPRESSION, 4, False) == 0
    readable &= tf.reduce_any(tf.equal(bits, _PALETTE_BITS + _COLOR_BITS))
    check = tf.debugging.Assert(readable, ["this kind of BMP is not read"])
    with tf.control_dependencies([] if check is None else [check]):
        return tf.cond(
            bits <= max(_PALETTE_BITS),
            lambda: _of_palette(encoded, data, bits),
            # The fourth byte of 32-bit pixels has no meaning.
            lambda: tf.io.decode_bmp(encoded, channels=0)[..., : features.CHANNELS],
        )


def size(encoded: tf.Tensor) -> tf.Tensor:
    """Pixels of a BMP (string []) as its header has them: int64 []."""
    data = file_bytes.window(encoded, 0, _INFO + _MIN_INFO_BYTES)
    height = file_bytes.number(data, _HEIGHT, 4, False)
    return file_bytes.number(data, _WIDTH, 4, False) * tf.minimum(height, (1 << 32) - height)


def _of_palette(encoded: tf.Tensor, data: tf.Tensor, bits: tf.Tensor) -> tf.Tensor:
    width = file_bytes.number(data, _WIDTH, 4, False)
    height = file_bytes.number(data, _HEIGHT, 4, False)
    # A negative height means that the first row is the highest one.
    top_down = height >= 1 << 31
    height = tf.where(top_down, (1 << 32) - height, height)
    row_bytes = (bits * width + 31) // 32 * 4
    pixels = file_bytes.number(data, _PIXELS, 4, False)
    rows = tf.strings.substr(encoded, pixels, height * row_bytes)
    rows = tf.reshape(tf.io.decode_raw(rows, tf.uint8), [height, row_bytes, 1])
    # The first pixel of a byte is in its highest bits.
    shifts = tf.cast(tf.range(8 - bits, -1, -bits), tf.uint8)
    indices = tf.bitwise.right_shift(rows, shifts)
    indices = tf.bitwise.bitwise_and(indices, tf.cast(2**bits - 1, tf.uint8))
    indices = tf.reshape(indices, [height, row_bytes * (8 // bits)])[:, :width]
    indices = tf.cond(top_down, lambda: indices, lambda: indices[::-1])
    return tf.gather(_palette(data, pixels), tf.cast(indices, tf.int32))


def _palette(data: tf.Tensor, pixels: tf.Tensor) -> tf.Tensor:
    """All colours, uint8 [256, 3], RGB; black where there is none."""
    start = _INFO + file_bytes.number(data, _INFO, 4, False)
    colors = data[start : tf.minimum(pixels, start + 4 * _MAX_COLORS)]
    count = tf.size(colors) // 4
    bgrx = tf.reshape(colors[: 4 * count], [count, 4])
    return tf.pad(bgrx[:, 2::-1], [[0, _MAX_COLORS - count], [0, 0]])
