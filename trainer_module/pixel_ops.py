"""The operations of RandAugment and AutoAugment on one uint8 image.

An operation has two halves. Its strength becomes a row of numbers, in Python, before there is a
graph; its pixels are a few TensorFlow operations, a kernel, that read this row. Operations may
share a kernel, so that a graph that chooses among operations is small.

Pixels stay uint8 where that is possible, and are touched as seldom as possible where it is not.
Two habits of TensorFlow's CPU kernels explain the rest: broadcasting along three channels, and
`tf.where` on uint8, take some ten times as long as the same along a whole row, or with bit masks.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

GREY = 128
_LUMA = np.array([0.2989, 0.587, 0.114], np.float32)  # ITU-R BT.601
# Numbers in a row; the widest is an affine transform.
ROW = 6


class Operation(NamedTuple):
    """One operation.

    Attributes:
      kernel: (image uint8 [H, W, 3] with H and W known, row float32 [6]) -> uint8 [H, W, 3].
      strength: (level, sign, height, width) -> up to 6 numbers. Level 1 is the end of the papers'
        scale; the sign, 1 or -1, is the direction of operations that have one.
    """

    kernel: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    strength: Callable[[float, float, int, int], tuple[float, ...]]


def rows(name: str, level: float, shape: tf.TensorShape) -> np.ndarray:
    """The rows of an operation for the signs -1 and 1.

    Args:
      name: a key of `OPERATIONS`.
      level: the strength; 1 is the end of the papers' scale.
      shape: of the image, (H, W, 3).

    Returns:
      float32 [2, 6].
    """
    height, width, _ = shape.as_list()
    result = np.zeros([2, ROW], np.float32)
    for index, sign in enumerate((-1.0, 1.0)):
        numbers = OPERATIONS[name].strength(level, sign, height, width)
        result[index, : len(numbers)] = numbers
    return result


def run_kernel(image: tf.Tensor, index: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
    """Runs the kernel with a position in `KERNELS` (int32 []) on an image, with a row."""
    branches = [lambda kernel=kernel: kernel(image, row) for kernel in KERNELS]
    return tf.ensure_shape(tf.switch_case(index, branches), image.shape)


def _wide(image: tf.Tensor) -> tf.Tensor:
    """[H, W, 3] as [H, W * 3]."""
    return tf.reshape(image, [image.shape[0], image.shape[1] * image.shape[2]])


def _channels(values: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
    """A value for each channel, [3], as one for each element of a row, [W * 3]."""
    return tf.tile(values, [image.shape[1]])


def _round(values: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
    """float32 from 0 to 255 to uint8, in the shape of `image`; two passes."""
    return tf.reshape(tf.cast(values + 0.5, tf.uint8), image.shape)


def _round_clipped(values: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
    """float32 in any range to uint8, in the shape of `image`."""
    return _round(tf.clip_by_value(values, 0.0, 255.0), image)


def _identity(image: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
    return tf.identity(image)


def _auto_contrast(image: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
    def extreme(reduce) -> tf.Tensor:  # float32 [3]
        return tf.cast(reduce(tf.reshape(reduce(_wide(image), 0), [-1, 3]), 0), tf.float32)

    low, high = extreme(tf.reduce_min), extreme(tf.reduce_max)
    scale = tf.where(high > low, 255.0 / tf.maximum(high - low, 1.0), 1.0)
    low = tf.where(high > low, low, 0.0)
    values = tf.cast(_wide(image), tf.float32) - _channels(low, image)
    return _round(values * _channels(scale, image), image)


def _equalize(image: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
    # The three channels as one: their values are 0 to 255, 256 to 511 and 512 to 767.
    offset = _channels(tf.constant([0, 256, 512]), image)
    values = tf.reshape(tf.cast(_wide(image), tf.int32) + offset, [-1])
    histogram = tf.math.bincount(values, minlength=768, maxlength=768)
    histogram = tf.reshape(histogram, [3, 256])
    below = tf.cumsum(histogram, axis=1, exclusive=True)
    # All pixels but those of the highest value, in 255 steps.
    step = tf.reduce_max(tf.where(histogram > 0, below, 0), axis=1, keepdims=True) // 255
    table = tf.minimum((below + step // 2) // tf.maximum(step, 1), 255)
    table = tf.cast(tf.where(step > 0, table, tf.range(256)), tf.uint8)
    # gather_nd has a fast path for single bytes that gather lacks.
    return tf.reshape(tf.gather_nd(tf.reshape(table, [-1]), values[:, None]), image.shape)


def _solarize(image: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
    threshold, mask = tf.unstack(tf.cast(row[:2], tf.uint8))
    above = tf.cast(image >= threshold, tf.uint8)
    return tf.bitwise.bitwise_xor(image, above * mask)  # v ^ 255 is 255 - v


def _solarize_add(image: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
    dark = tf.cast(image < GREY, tf.uint8)
    return image + dark * tf.minimum(255 - image, tf.cast(row[0], tf.uint8))


def _posterize(image: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
    return tf.bitwise.bitwise_and(image, tf.cast(row[0], tf.uint8))


def _color(image: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
    # Between each pixel and its grey: a product with a 3 x 3 matrix.
    factor, grey = row[0], tf.constant(np.repeat(_LUMA[:, None], 3, axis=1))
    matrix = grey + factor * (tf.eye(3) - grey)
    pixels = tf.reshape(tf.cast(image, tf.float32), [-1, 3])
    return _round_clipped(tf.matmul(pixels, matrix), image)


def _contrast(image: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
    values = tf.cast(_wide(image), tf.float32)
    means = tf.reduce_mean(tf.reshape(tf.reduce_mean(values, 0), [-1, 3]), 0)
    grey = tf.reduce_sum(means * _LUMA)
    return _round_clipped(values * row[0] + grey * (1.0 - row[0]), image)


def _brightness(image: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
    values = tf.cast(image, tf.float32) * row[0]
    return _round(tf.minimum(values, 255.0), image)


def _sharpness(image: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
    height, width, _ = image.shape
    if min(height, width) < 3:
        return tf.identity(image)  # it is all edge
    smooth = tf.constant(np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13.0)
    same = tf.constant(np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]], np.float32))
    kernel = tf.tile((smooth + row[0] * (same - smooth))[:, :, None, None], [1, 1, 3, 1])
    values = tf.cast(image, tf.float32)[None]
    inner = tf.nn.depthwise_conv2d(values, kernel, [1, 1, 1, 1], "VALID")[0]
    inner = _round_clipped(inner, image[1:-1, 1:-1])
    # The edge, which the filter does not reach, stays as it is.
    inner = tf.concat([image[1:-1, :1], inner, image[1:-1, -1:]], axis=1)
    return tf.concat([image[:1], inner, image[-1:]], axis=0)


def _transform(image: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
    """Output (x, y) takes the pixel at the matrix [[a, b, c], [d, e, f]] times (x, y, 1)."""
    height, width, channels = image.shape
    x, y = tf.range(width, dtype=tf.float32)[None], tf.range(height, dtype=tf.float32)[:, None]
    # A grey border around the image is what lies outside of it. One is for the border, and what
    # is cut off after adding a half is rounded.
    from_x = tf.clip_by_value(row[0] * x + (row[1] * y + row[2]), -1.0, width)  # [H, W]
    from_y = tf.clip_by_value(row[3] * x + (row[4] * y + row[5]), -1.0, height)
    column, line = tf.cast(from_x + 1.5, tf.int32), tf.cast(from_y + 1.5, tf.int32)
    pixels = tf.pad(image, [[1, 1], [1, 1], [0, 0]], constant_values=GREY)
    # Three times as fast as ImageProjectiveTransform, which computes each channel's place anew.
    place = tf.reshape(line * (width + 2) + column, [-1, 1])
    moved = tf.gather_nd(tf.reshape(pixels, [-1, channels]), place)
    return tf.reshape(moved, image.shape)


def _solarize_row(level: float, sign: float, height: int, width: int) -> tuple[float, ...]:
    threshold = math.ceil(256.0 * (1.0 - min(level, 1.0)))
    return (threshold, 255.0) if threshold < 256 else (255.0, 0.0)


def _solarize_add_row(level: float, sign: float, height: int, width: int) -> tuple[float, ...]:
    return (min(float(int(110 * level)), 255.0),)


def _posterize_row(level: float, sign: float, height: int, width: int) -> tuple[float, ...]:
    kept_bits = max(1, 8 - int(4 * level))
    return (256.0 - 2 ** (8 - kept_bits),)


def _factor_row(level: float, sign: float, height: int, width: int) -> tuple[float, ...]:
    return (max(1.0 + sign * 0.9 * level, 0.0),)  # 0 is the base, 1 the image, more goes beyond


def _rotate_row(level: float, sign: float, height: int, width: int) -> tuple[float, ...]:
    angle = sign * math.radians(30.0) * level
    cos, sin = math.cos(angle), math.sin(angle)
    width, height = width - 1, height - 1
    x = (width - (cos * width - sin * height)) / 2.0
    y = (height - (sin * width + cos * height)) / 2.0
    return cos, -sin, x, sin, cos, y


def _shear_x_row(level: float, sign: float, height: int, width: int) -> tuple[float, ...]:
    return 1.0, sign * 0.3 * level, 0.0, 0.0, 1.0, 0.0


def _shear_y_row(level: float, sign: float, height: int, width: int) -> tuple[float, ...]:
    return 1.0, 0.0, 0.0, sign * 0.3 * level, 1.0, 0.0


def _shift(level: float, sign: float, side: int) -> float:
    # The paper moves by up to 100 of 331 pixels; as a share it fits every image size.
    return sign * round(side * level * 100.0 / 331.0)


def _translate_x_row(level: float, sign: float, height: int, width: int) -> tuple[float, ...]:
    return 1.0, 0.0, _shift(level, sign, width), 0.0, 1.0, 0.0


def _translate_y_row(level: float, sign: float, height: int, width: int) -> tuple[float, ...]:
    return 1.0, 0.0, 0.0, 0.0, 1.0, _shift(level, sign, height)


def _strength(*numbers: float) -> Callable[..., tuple[float, ...]]:
    return lambda level, sign, height, width: numbers


OPERATIONS: dict[str, Operation] = {
    "identity": Operation(_identity, _strength()),
    "auto_contrast": Operation(_auto_contrast, _strength()),
    "equalize": Operation(_equalize, _strength()),
    "invert": Operation(_solarize, _strength(0.0, 255.0)),
    "rotate": Operation(_transform, _rotate_row),
    "posterize": Operation(_posterize, _posterize_row),
    "solarize": Operation(_solarize, _solarize_row),
    "solarize_add": Operation(_solarize_add, _solarize_add_row),
    "color": Operation(_color, _factor_row),
    "contrast": Operation(_contrast, _factor_row),
    "brightness": Operation(_brightness, _factor_row),
    "sharpness": Operation(_sharpness, _factor_row),
    "shear_x": Operation(_transform, _shear_x_row),
    "shear_y": Operation(_transform, _shear_y_row),
    "translate_x": Operation(_transform, _translate_x_row),
    "translate_y": Operation(_transform, _translate_y_row),
}
KERNELS = tuple(dict.fromkeys(operation.kernel for operation in OPERATIONS.values()))


def kernel_index(name: str) -> int:
    """The position in `KERNELS` of an operation's kernel."""
    return KERNELS.index(OPERATIONS[name].kernel)
