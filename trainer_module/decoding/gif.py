"""The first frame of a GIF where it belongs on its canvas, over a background.

TensorFlow makes transparent pixels black. So before it decodes, their colour in the palette
becomes the background, and the flag that calls them transparent is cleared. A frame that is
smaller than the canvas it would give in a size that depends on all frames: it is told that the
frame lies at the top left, where it is cut out, and then laid on the canvas, as Pillow does.
"""

import tensorflow as tf

from preprocessing import features
from trainer_module.decoding import file_bytes

# Where things stand in the file's header.
_WIDTH, _HEIGHT, _FLAGS, _FIRST_BLOCK = 6, 8, 10, 13
_EXTENSION, _CONTROL, _IMAGE = 0x21, 0xF9, 0x2C
# And in a control block, and in the head of an image.
_CONTROL_FLAGS, _CONTROL_COLOR = 3, 6
_LEFT, _IMAGE_FLAGS, _IMAGE_TABLE = 1, 9, 10
_HAS_TABLE = 128


def decode(encoded: tf.Tensor, background: tuple[int, int, int]) -> tf.Tensor:
    """Decodes the first frame of a GIF.

    Args:
      encoded: string [], the file.
      background: RGB, 0 to 255.

    Returns:
      uint8 [H, W, 3], RGB, the canvas, which is as large as the frame needs. Beside the frame it
      has the first colour of the palette, or where something is transparent the background.

    Raises:
      tf.errors.InvalidArgumentError: the file is damaged.
    """
    data = file_bytes.header(encoded)
    control, image = _first_image(data)

    def frame(encoded: tf.Tensor) -> tf.Tensor:
        return tf.io.decode_image(encoded, features.CHANNELS, expand_animations=False)

    def placed() -> tf.Tensor:
        opaque, fill = _opaque(encoded, data, control, image, background)
        at_top_left = file_bytes.replaced(opaque, image + _LEFT, tf.constant(bytes(4)))
        left, top, width, height = _frame_box(data, image)
        canvas_width, canvas_height = tf.unstack(_canvas(data, image))
        box = [[top, canvas_height - top - height], [left, canvas_width - left - width], [0, 0]]
        pixels = tf.pad(frame(at_top_left)[:height, :width], box)
        inside = tf.pad(tf.ones([height, width, 1], tf.bool), box)
        return tf.where(inside, pixels, fill)

    return tf.cond(_is_image(data, image), placed, lambda: frame(encoded))


def size(encoded: tf.Tensor) -> tf.Tensor:
    """Pixels of the canvas of a GIF (string []): int64 []."""
    data = file_bytes.header(encoded)
    return tf.reduce_prod(tf.cast(_canvas(data, _first_image(data)[1]), tf.int64))


def _is_image(data: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
    """Whether an image begins there; not where so much precedes it that it is not looked at."""
    return tf.cast(data[image], tf.int32) == _IMAGE


def _frame_box(data: tf.Tensor, image: tf.Tensor) -> list[tf.Tensor]:
    """Left, top, width and height of the frame, int32 [] each."""
    begins = range(_LEFT, _IMAGE_FLAGS, 2)
    return [tf.cast(file_bytes.number(data, image + at, 2, False), tf.int32) for at in begins]


def _canvas(data: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
    """Width and height of the canvas, int32 [2], which has room for the first frame."""
    screen = [file_bytes.number(data, at, 2, False) for at in (_WIDTH, _HEIGHT)]
    left, top, width, height = _frame_box(data, image)
    needed = tf.where(_is_image(data, image), [left + width, top + height], 0)
    return tf.maximum(tf.cast(screen, tf.int32), needed)


def _opaque(
    encoded: tf.Tensor,
    data: tf.Tensor,
    control: tf.Tensor,
    image: tf.Tensor,
    background: tuple[int, int, int],
) -> tuple[tf.Tensor, tf.Tensor]:
    """The GIF (string []) without transparency in its first frame.

    Returns:
      (string [], uint8 [3]): the file, and the colour that is seen beside the frame.
    """
    table, colors = _palette(data, image)
    flags = tf.cast(data[control + _CONTROL_FLAGS], tf.int32)
    color = tf.cast(data[control + _CONTROL_COLOR], tf.int32)
    transparent = (control > 0) & (flags % 2 == 1)

    def changed() -> tf.Tensor:
        flag_byte = file_bytes.byte_string(flags - 1)
        result = file_bytes.replaced(encoded, control + _CONTROL_FLAGS, flag_byte)
        return file_bytes.replaced(result, table + 3 * color, tf.constant(bytes(background)))

    fill = tf.where(transparent, tf.constant(background, tf.uint8), data[table : table + 3])
    return tf.cond(transparent & (color < colors), changed, lambda: encoded), fill


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
