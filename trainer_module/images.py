"""From an encoded image to the pixels that enter the model, for training, evaluation, serving.

Geometry is the same in evaluation and in the exported model, which call the same function.
"""

import tensorflow as tf

from preprocessing import features

# Random crops as published (Inception, arXiv 1409.4842): aspect ratio of the crop.
ASPECT_RATIOS = (3 / 4, 4 / 3)


def decode(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes a JPEG, PNG, BMP or the first frame of a GIF.

    Args:
      encoded: string [], the file.

    Returns:
      uint8 [H, W, 3], RGB.
    """
    image = tf.io.decode_image(encoded, channels=features.CHANNELS, expand_animations=False)
    return tf.ensure_shape(image, [None, None, features.CHANNELS])


def eval_image(encoded: tf.Tensor, size_px: int) -> tf.Tensor:
    """The largest centred square, at the evaluation size.

    Args:
      encoded: string [], the file.
      size_px: side of the result.

    Returns:
      uint8 [size_px, size_px, 3].
    """
    image = decode(encoded)
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
        image = _random_crop(encoded, seed, crop_min_area)
        image = to_uint8(tf.image.resize(image, [size_px, size_px]))
    if random_flip:
        image = tf.image.stateless_random_flip_left_right(image, seed + tf.constant([0, 1]))
    return tf.ensure_shape(image, [size_px, size_px, features.CHANNELS])


def to_uint8(image: tf.Tensor) -> tf.Tensor:
    """Rounds pixels to uint8."""
    return tf.saturate_cast(tf.round(image), tf.uint8)


def _random_crop(encoded: tf.Tensor, seed: tf.Tensor, crop_min_area: float) -> tf.Tensor:
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

    def jpeg() -> tf.Tensor:  # only the blocks inside the window are decoded
        crop = window(tf.io.extract_jpeg_shape(encoded))
        return tf.io.decode_and_crop_jpeg(encoded, crop, channels=features.CHANNELS)

    def other() -> tf.Tensor:
        image = decode(encoded)
        top, left, height, width = tf.unstack(window(tf.shape(image)))
        return image[top : top + height, left : left + width]

    return tf.cond(tf.io.is_jpeg(encoded), jpeg, other)
