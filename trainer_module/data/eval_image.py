"""From an encoded image to the pixels that enter the model, in evaluation and in serving.

Geometry is the same in evaluation and in the exported model, which call the same function.
"""

from typing import NamedTuple

import tensorflow as tf

from trainer_module.decoding import gray16
from trainer_module.decoding.decode import WHITE, decode


class FileOptions(NamedTuple):
    """How a raw file becomes what the preprocessing would have written into a record.

    Attributes:
      background: RGB, 0 to 255, what is seen where a picture is transparent.
      max_side_px: a picture whose shorter side is longer is first shrunk to it; 0 leaves this out.
      gray16: what becomes of 16-bit grey: `as_is`, its high byte, or `stretch`.
      max_pixels: a picture with more pixels in its header is not decoded; 0 for no limit.
    """

    background: tuple[int, int, int] = WHITE
    max_side_px: int = 0
    gray16: str = gray16.AS_IS
    max_pixels: int = 0


RECORDS = FileOptions()  # the preprocessing did all of that


def eval_image(
    encoded: tf.Tensor, size_px: int | tf.Tensor, options: FileOptions = RECORDS
) -> tf.Tensor:
    """The largest centred square, at the evaluation size.

    Args:
      encoded: string [], the file.
      size_px: side of the result; int32 [] where it is known only when the graph runs.
      options: what is done with the file first.

    Returns:
      uint8 [size_px, size_px, 3].
    """
    image = decode(encoded, options.background, options.gray16, options.max_pixels)
    max_side_px = options.max_side_px
    if max_side_px:
        image = _shrunk(image, max_side_px)
    shape = tf.shape(image)
    side = tf.minimum(shape[0], shape[1])
    top, left = (shape[0] - side) // 2, (shape[1] - side) // 2
    image = image[top : top + side, left : left + side]
    resized = tf.cond(
        side == size_px,
        lambda: image,
        lambda: to_uint8(tf.image.resize(image, [size_px, size_px], antialias=True)),
    )
    static_px = tf.get_static_value(size_px)
    return tf.ensure_shape(resized, [static_px, static_px, image.shape[-1]])


def to_uint8(image: tf.Tensor) -> tf.Tensor:
    """Rounds pixels to uint8."""
    return tf.saturate_cast(tf.round(image), tf.uint8)


def _shrunk(image: tf.Tensor, max_side_px: int) -> tf.Tensor:
    """The image uint8 [H, W, 3] with a shorter side of at most `max_side_px`, aspect kept."""
    shape = tf.shape(image)[:2]
    shorter = tf.reduce_min(shape)

    def smaller() -> tf.Tensor:
        target = tf.round(tf.cast(shape * max_side_px, tf.float64) / tf.cast(shorter, tf.float64))
        size = tf.maximum(tf.cast(target, tf.int32), 1)
        return to_uint8(tf.image.resize(image, size, "bicubic", antialias=True))

    result = tf.cond(shorter > max_side_px, smaller, lambda: image)
    return tf.ensure_shape(result, [None, None, image.shape[-1]])
