"""The first frame of a GIF over a background.

TensorFlow makes transparent pixels black. So before it decodes, their colour in the palette
becomes the background, and the flag that calls them transparent is cleared.
"""

import tensorflow as tf

from trainer_module.decoding import file_bytes

# Where things stand in the file's header.
_WIDTH, _HEIGHT, _FLAGS, _FIRST_BLOCK = 6, 8, 10, 13
_EXTENSION, _CONTROL = 0x21, 0xF9
# And in a control block, and in the head of an image.
_CONTROL_FLAGS, _CONTROL_COLOR = 3, 6
_IMAGE_FLAGS, _IMAGE_TABLE = 9, 10
_HAS_TABLE = 128


def opaque(encoded: tf.Tensor, background: tuple[int, int, int]) -> tf.Tensor:
    """The same GIF without transparency in its first frame.

    Args:
      encoded: string [], the file.
      background: RGB, 0 to 255.

    Returns:
      string [], a GIF.
    """
    data = file_bytes.header(encoded)
    control, image = _first_image(data)
    table, colors = _palette(data, image)
    flags = tf.cast(data[control + _CONTROL_FLAGS], tf.int32)
    color = tf.cast(data[control + _CONTROL_COLOR], tf.int32)
    transparent = (control > 0) & (flags % 2 == 1) & (color < colors)

    def changed() -> tf.Tensor:
        flag_byte = file_bytes.byte_string(flags - 1)
        result = file_bytes.replaced(encoded, control + _CONTROL_FLAGS, flag_byte)
        return file_bytes.replaced(result, table + 3 * color, tf.constant(bytes(background)))

    return tf.cond(transparent, changed, lambda: encoded)


def size(encoded: tf.Tensor) -> tf.Tensor:
    """Pixels of a GIF (string []) as its header has them: int64 []."""
    data = file_bytes.window(encoded, 0, _FIRST_BLOCK)
    return file_bytes.number(data, _WIDTH, 2, False) * file_bytes.number(data, _HEIGHT, 2, False)


def _table_bytes(flags: tf.Tensor) -> tf.Tensor:
    return tf.where(flags >= _HAS_TABLE, 3 * tf.bitwise.left_shift(2, flags % 8), 0)


def _first_image(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Where the control block in front of the first image (0 for none) and that image begin."""
    last = tf.size(data) - file_bytes.PADDING_BYTES - 1
    first = _FIRST_BLOCK + _table_bytes(tf.cast(data[_FLAGS], tf.int32))

    def step(at, control, inside, _):
        byte, label = tf.cast(data[at], tf.int32), tf.cast(data[at + 1], tf.int32)
        extension = tf.logical_not(inside) & (byte == _EXTENSION)
        control = tf.where(extension & (label == _CONTROL), at, control)
        # An extension is two bytes and sub-blocks, of which one of length 0 is the last.
        following = at + tf.where(extension, 2, 1 + byte)
        going = (inside | extension) & (following < last)
        inside = extension | (inside & (byte > 0))
        return tf.where(going, following, at), control, inside, going

    image, control, _, _ = tf.while_loop(
        lambda at, control, inside, going: going,
        step,
        (first, tf.constant(0), tf.constant(False), first < last),
        parallel_iterations=1,
    )
    return control, image


def _palette(data: tf.Tensor, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Where the palette of an image begins, and the number of its colours, both int32 []."""
    of_image = tf.cast(data[image + _IMAGE_FLAGS], tf.int32)
    of_file = tf.cast(data[_FLAGS], tf.int32)
    own = of_image >= _HAS_TABLE
    start = tf.where(own, image + _IMAGE_TABLE, _FIRST_BLOCK)
    return start, _table_bytes(tf.where(own, of_image, of_file)) // 3
