"""From an encoded image to the pixels that enter the model, in evaluation and in serving.

Geometry is the same in evaluation and in the exported model, which call the same function.
"""

import tensorflow as tf

from trainer_module.decoding import WHITE, decode


def eval_image(
    encoded: tf.Tensor, size_px: int, background: tuple[int, int, int] = WHITE
) -> tf.Tensor:
    """The largest centred square, at the evaluation size.

    Args:
      encoded: string [], the file.
      size_px: side of the result.
      background: RGB, 0 to 255, what is seen where a picture is transparent.

    Returns:
      uint8 [size_px, size_px, 3].
    """
    image = decode(encoded, background)
    shape = tf.shape(image)
    side = tf.minimum(shape[0], shape[1])
    top, left = (shape[0] - side) // 2, (shape[1] - side) // 2
    image = image[top : top + side, left : left + side]
    return to_uint8(tf.image.resize(image, [size_px, size_px], antialias=True))


def to_uint8(image: tf.Tensor) -> tf.Tensor:
    """Rounds pixels to uint8."""
    return tf.saturate_cast(tf.round(image), tf.uint8)
