"""RandAugment (arXiv 1909.13719): stateless, on one uint8 image."""

import math
from collections.abc import Callable

import tensorflow as tf

from trainer_module.images import to_uint8

# On the scale of the paper and of the published recipe.
MAX_MAGNITUDE = 10.0
GREY = 128
_LUMA = (0.2989, 0.587, 0.114)  # ITU-R BT.601

Op = Callable[[tf.Tensor, tf.Tensor, float], tf.Tensor]


def rand_augment(image: tf.Tensor, seed: tf.Tensor, num_layers: int, magnitude: float) -> tf.Tensor:
    """Applies `num_layers` operations, each drawn from `OPERATIONS`.

    Args:
      image: uint8 [H, W, 3].
      seed: int32 [2]; the same seed gives the same pixels.
      num_layers: operations, one after the other.
      magnitude: their strength; 10 is the end of the paper's scale, more goes beyond it.

    Returns:
      uint8 [H, W, 3].
    """
    shape = image.shape
    level = magnitude / MAX_MAGNITUDE
    for layer in range(num_layers):
        layer_seed = tf.random.fold_in(seed, 1000 + layer)
        choice = tf.random.stateless_uniform(
            [], layer_seed, minval=0, maxval=len(OPERATIONS), dtype=tf.int32
        )
        sign = tf.where(
            tf.random.stateless_uniform([], tf.random.fold_in(layer_seed, 1)) < 0.5, -1.0, 1.0
        )
        branches = [_branch(operation, image, sign, level) for operation in OPERATIONS.values()]
        image = tf.ensure_shape(tf.switch_case(choice, branches), shape)
    return image


def _branch(operation: Op, image: tf.Tensor, sign: tf.Tensor, level: float):
    return lambda: operation(image, sign, level)


def _blend(base: tf.Tensor, image: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """`factor` 0 is `base`, 1 is `image`, more goes beyond."""
    base, image = tf.cast(base, tf.float32), tf.cast(image, tf.float32)
    return to_uint8(base + factor * (image - base))


def _grey(image: tf.Tensor) -> tf.Tensor:
    return tf.tensordot(tf.cast(image, tf.float32), tf.constant(_LUMA), 1)[..., None]


def _identity(image, sign, level):
    return tf.identity(image)


def _auto_contrast(image, sign, level):
    values = tf.cast(image, tf.float32)
    low, high = tf.reduce_min(values, [0, 1]), tf.reduce_max(values, [0, 1])
    scale = tf.where(high > low, 255.0 / tf.maximum(high - low, 1.0), 1.0)
    return to_uint8((values - tf.where(high > low, low, 0.0)) * scale)


def _equalize(image, sign, level):
    def channel(values):  # [H, W]
        histogram = tf.math.bincount(tf.cast(values, tf.int32), minlength=256, maxlength=256)
        used = tf.boolean_mask(histogram, histogram > 0)
        step = (tf.reduce_sum(used) - used[-1]) // 255
        table = (tf.cumsum(histogram, exclusive=True) + step // 2) // tf.maximum(step, 1)
        table = tf.saturate_cast(table, tf.uint8)
        return tf.where(step > 0, tf.gather(table, tf.cast(values, tf.int32)), values)

    return tf.stack([channel(image[..., index]) for index in range(3)], axis=-1)


def _invert_above(image, threshold):
    return tf.where(tf.cast(image, tf.float32) >= threshold, 255 - image, image)


def _solarize(image, sign, level):
    return _invert_above(image, 256.0 * (1.0 - min(level, 1.0)))


def _solarize_add(image, sign, level):
    added = tf.saturate_cast(tf.cast(image, tf.int32) + int(110 * level), tf.uint8)
    return tf.where(image < GREY, added, image)


def _posterize(image, sign, level):
    kept_bits = max(1, 8 - int(4 * level))
    return tf.bitwise.bitwise_and(image, tf.constant(256 - 2 ** (8 - kept_bits), tf.uint8))


def _enhance_factor(sign, level):
    return tf.maximum(1.0 + sign * 0.9 * level, 0.0)


def _color(image, sign, level):
    return _blend(_grey(image), image, _enhance_factor(sign, level))


def _contrast(image, sign, level):
    return _blend(tf.reduce_mean(_grey(image)), image, _enhance_factor(sign, level))


def _brightness(image, sign, level):
    return _blend(tf.zeros([]), image, _enhance_factor(sign, level))


def _sharpness(image, sign, level):
    kernel = tf.constant([[1.0, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13.0
    kernel = tf.tile(kernel[:, :, None, None], [1, 1, 3, 1])
    values = tf.cast(image, tf.float32)[None]
    smooth = tf.nn.depthwise_conv2d(values, kernel, [1, 1, 1, 1], "VALID")[0]
    # The edge, which the filter does not reach, stays as it is.
    smooth = tf.pad(smooth, [[1, 1], [1, 1], [0, 0]])
    inner = tf.pad(tf.ones_like(smooth[1:-1, 1:-1], tf.bool), [[1, 1], [1, 1], [0, 0]])
    return _blend(tf.where(inner, smooth, values[0]), image, _enhance_factor(sign, level))


def _transform(image: tf.Tensor, rows: list) -> tf.Tensor:
    """Output (x, y) takes the pixel at the matrix [[a, b, c], [d, e, f]] times (x, y, 1)."""
    matrix = tf.stack([tf.cast(value, tf.float32) for value in (*rows, 0.0, 0.0)])[None]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=image[None],
        transforms=matrix,
        output_shape=tf.shape(image)[:2],
        fill_value=float(GREY),
        interpolation="NEAREST",
        fill_mode="CONSTANT",
    )[0]


def _rotate(image, sign, level):
    angle = sign * math.radians(30.0) * level
    cos, sin = tf.cos(angle), tf.sin(angle)
    height, width = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float32) - 1.0)
    x = (width - (cos * width - sin * height)) / 2.0
    y = (height - (sin * width + cos * height)) / 2.0
    return _transform(image, [cos, -sin, x, sin, cos, y])


def _shear_x(image, sign, level):
    return _transform(image, [1.0, sign * 0.3 * level, 0.0, 0.0, 1.0, 0.0])


def _shear_y(image, sign, level):
    return _transform(image, [1.0, 0.0, 0.0, sign * 0.3 * level, 1.0, 0.0])


def _shift(image, sign, level, axis):
    # The paper moves by up to 100 of 331 pixels; as a share it fits every image size.
    side = tf.cast(tf.shape(image)[axis], tf.float32)
    return sign * tf.round(side * level * 100.0 / 331.0)


def _translate_x(image, sign, level):
    return _transform(image, [1.0, 0.0, _shift(image, sign, level, 1), 0.0, 1.0, 0.0])


def _translate_y(image, sign, level):
    return _transform(image, [1.0, 0.0, 0.0, 0.0, 1.0, _shift(image, sign, level, 0)])


OPERATIONS: dict[str, Op] = {
    "identity": _identity,
    "auto_contrast": _auto_contrast,
    "equalize": _equalize,
    "rotate": _rotate,
    "posterize": _posterize,
    "solarize": _solarize,
    "solarize_add": _solarize_add,
    "color": _color,
    "contrast": _contrast,
    "brightness": _brightness,
    "sharpness": _sharpness,
    "shear_x": _shear_x,
    "shear_y": _shear_y,
    "translate_x": _translate_x,
    "translate_y": _translate_y,
}
