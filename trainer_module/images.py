"""From an encoded image to the pixels that enter the model, for training, evaluation, serving.

Geometry is the same in evaluation and in the exported model, which call the same function.
"""

import tensorflow as tf

from preprocessing import features
from trainer_module.decoding import WHITE, decode

# Random crops as published (Inception, arXiv 1409.4842): aspect ratio of the crop.
ASPECT_RATIOS = (3 / 4, 4 / 3)
# A JPEG decoder can leave out frequencies, and then makes a picture that is so much smaller.
JPEG_SCALES = (1, 2, 4, 8)


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


def train_image(
    encoded: tf.Tensor, seed: tf.Tensor, size_px: int, crop_min_area: float, random_flip: bool
) -> tf.Tensor:
    """A random part of an image, mirrored half of the time.

    Args:
      encoded: string [], the file.
      seed: int32 [2]; the same seed gives the same pixels.
      size_px: side of the result.
      crop_min_area: smallest share of the area that is kept; 1 takes the largest centred square.
      random_flip: whether images are mirrored.

    Returns:
      uint8 [size_px, size_px, 3].
    """
    if crop_min_area == 1.0:
        image = eval_image(encoded, size_px)
    else:
        image = tf.image.resize(_random_crop(encoded, seed, size_px, crop_min_area), [size_px] * 2)
        # Interpolation stays between the pixels' values: nothing needs clipping.
        image = tf.cast(image + 0.5, tf.uint8)
    if random_flip:
        flips = tf.random.stateless_uniform([], seed + tf.constant([0, 1])) < 0.5
        image = tf.cond(flips, lambda: tf.reverse(image, [1]), lambda: image)
    return tf.ensure_shape(image, [size_px, size_px, features.CHANNELS])


def to_uint8(image: tf.Tensor) -> tf.Tensor:
    """Rounds pixels to uint8."""
    return tf.saturate_cast(tf.round(image), tf.uint8)


def _random_crop(
    encoded: tf.Tensor, seed: tf.Tensor, size_px: int, crop_min_area: float
) -> tf.Tensor:
    """A random window, uint8 [h, w, 3]; of a JPEG perhaps at a scale that suits `size_px`."""

    def window(shape: tf.Tensor) -> tf.Tensor:  # [top, left, height, width]
        begin, size, _ = tf.image.stateless_sample_distorted_bounding_box(
            shape,
            bounding_boxes=tf.zeros([1, 0, 4]),
            seed=seed,
            min_object_covered=0.0,
            aspect_ratio_range=ASPECT_RATIOS,
            area_range=(crop_min_area, 1.0),
            use_image_if_no_bounding_boxes=True,
        )
        return tf.concat([begin[:2], size[:2]], axis=0)

    def jpeg() -> tf.Tensor:
        return _decode_window(encoded, window(tf.io.extract_jpeg_shape(encoded)), size_px)

    def other() -> tf.Tensor:
        image = decode(encoded)
        top, left, height, width = tf.unstack(window(tf.shape(image)))
        return image[top : top + height, left : left + width]

    return tf.cond(tf.io.is_jpeg(encoded), jpeg, other)


def _decode_window(encoded: tf.Tensor, window: tf.Tensor, size_px: int) -> tf.Tensor:
    """Decodes the blocks inside a window of a JPEG, at the smallest scale that has enough pixels.

    Args:
      encoded: string [], a JPEG file.
      window: int32 [4], top, left, height and width in the whole picture, pixels.
      size_px: side of the picture that it will become.

    Returns:
      uint8 [height / scale, width / scale, 3], with a scale of 1, 2, 4 or 8: both sides are
      `size_px` or more, unless those of the window are not.
    """

    def at(scale: int) -> tf.Tensor:
        return tf.io.decode_and_crop_jpeg(
            encoded, window // scale, channels=features.CHANNELS, ratio=scale
        )

    spare = tf.reduce_min(window[2:]) // size_px
    chosen = sum(tf.cast(spare >= scale, tf.int32) for scale in JPEG_SCALES[1:])
    return tf.switch_case(chosen, [lambda scale=scale: at(scale) for scale in JPEG_SCALES])
