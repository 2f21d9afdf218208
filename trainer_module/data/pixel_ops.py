"""The operations of RandAugment and AutoAugment on one uint8 image, with OpenCV.

Pixels stay uint8 from decoding to the batch. Each operation is written with those of OpenCV's
and numpy's functions that use vector instructions on uint8: at 300 x 300 px a table look-up takes
0.06 ms, where a comparison, a bit mask or a sum takes 0.01 ms.
"""

import math
from collections.abc import Callable

import cv2
import numpy as np

# tf.data runs many images at a time; threads inside each would only be in each other's way.
cv2.setNumThreads(1)

GREY = (128, 128, 128)  # what lies outside of a moved image
_LUMA = np.array([0.2989, 0.587, 0.114], np.float32)  # ITU-R BT.601
_IDENTITY = np.eye(3, dtype=np.float32)

Out = np.ndarray | None
# (image uint8 [H, W, 3] RGB, level, sign, out) -> uint8 [H, W, 3]. Level 1 is the end of the
# papers' scale; the sign, 1 or -1, is the direction of operations that have one. The image that
# comes in is never written to. The result is written to `out`, of the image's shape, where it is
# given: a copy less.
Operation = Callable[[np.ndarray, float, int, Out], np.ndarray]


def _identity(image: np.ndarray, level: float, sign: int, out: Out) -> np.ndarray:
    return cv2.copyTo(image, None, out)


def _auto_contrast(image: np.ndarray, level: float, sign: int, out: Out) -> np.ndarray:
    # Along whole rows first: reducing all but three numbers at once is 50 times slower in numpy.
    height, width, channels = image.shape
    rows = image.reshape(height, width * channels)
    low = rows.min(axis=0).reshape(-1, channels).min(axis=0)
    high = rows.max(axis=0).reshape(-1, channels).max(axis=0)
    stretch = high > low
    low = np.where(stretch, low, np.uint8(0))
    scale = np.where(stretch, 255.0 / np.maximum(high - low, 1), 1.0).astype(np.float32)
    above = rows - np.tile(low, width)
    # OpenCV has no vector instructions for a matrix that is diagonal; the rest changes nothing.
    return cv2.transform(above.reshape(image.shape), _IDENTITY * scale + np.float32(1e-6), out)


def _equalize(image: np.ndarray, level: float, sign: int, out: Out) -> np.ndarray:
    tables = [_equalizing_table(image, channel) for channel in range(3)]
    return cv2.LUT(image, np.stack(tables, axis=-1)[None], out)


def _equalizing_table(image: np.ndarray, channel: int) -> np.ndarray:
    histogram = cv2.calcHist([image], [channel], None, [256], [0, 256])[:, 0].astype(np.int64)
    below = np.cumsum(histogram) - histogram
    # All pixels but those of the highest value, in 255 steps.
    step = int(below[np.flatnonzero(histogram)[-1]]) // 255
    if not step:
        return np.arange(256, dtype=np.uint8)
    return np.minimum((below + step // 2) // step, 255).astype(np.uint8)


def _invert(image: np.ndarray, level: float, sign: int, out: Out) -> np.ndarray:
    return cv2.bitwise_not(image, out)


def _solarize(image: np.ndarray, level: float, sign: int, out: Out) -> np.ndarray:
    threshold = math.ceil(256.0 * (1.0 - min(level, 1.0)))
    _, above = cv2.threshold(image, threshold - 1, 255, cv2.THRESH_BINARY)
    return cv2.bitwise_xor(image, above, out)  # v ^ 255 is 255 - v


def _solarize_add(image: np.ndarray, level: float, sign: int, out: Out) -> np.ndarray:
    addition = min(int(110 * level), 255)
    _, dark = cv2.threshold(image, 127, addition, cv2.THRESH_BINARY_INV)
    return cv2.add(image, dark, out)


def _posterize(image: np.ndarray, level: float, sign: int, out: Out) -> np.ndarray:
    kept_bits = max(1, 8 - int(4 * level))
    return np.bitwise_and(image, np.uint8(256 - 2 ** (8 - kept_bits)), out=out)


def _factor(level: float, sign: int) -> float:
    return max(1.0 + sign * 0.9 * level, 0.0)  # 0 is the base, 1 the image, more goes beyond


def _color(image: np.ndarray, level: float, sign: int, out: Out) -> np.ndarray:
    # Between each pixel and its grey: a product with a 3 x 3 matrix.
    factor = np.float32(_factor(level, sign))
    return cv2.transform(image, factor * _IDENTITY + (1 - factor) * np.tile(_LUMA, (3, 1)), out)


def _contrast(image: np.ndarray, level: float, sign: int, out: Out) -> np.ndarray:
    factor = _factor(level, sign)
    grey = float(np.dot(cv2.mean(image)[:3], _LUMA))
    return cv2.addWeighted(image, factor, image, 0.0, (1.0 - factor) * grey, out)


def _brightness(image: np.ndarray, level: float, sign: int, out: Out) -> np.ndarray:
    return cv2.convertScaleAbs(image, out, alpha=_factor(level, sign))


def _sharpness(image: np.ndarray, level: float, sign: int, out: Out) -> np.ndarray:
    # Between each pixel and the mean of the 3 x 3 around it, in which it counts five times: 9/13
    # of the plain mean and 4/13 of the pixel.
    factor = _factor(level, sign)
    mean = cv2.blur(image, (3, 3))
    result = cv2.addWeighted(
        image, (4.0 + 9.0 * factor) / 13.0, mean, (9.0 - 9.0 * factor) / 13.0, 0.0, out
    )
    # The edge, which the filter does not reach, stays as it is.
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        result[edge] = image[edge]
    return result


def _transform(image: np.ndarray, out: Out, *matrix: float) -> np.ndarray:
    """Output (x, y) takes the pixel at the matrix [[a, b, c], [d, e, f]] times (x, y, 1)."""
    height, width, _ = image.shape
    return cv2.warpAffine(
        image,
        np.array(matrix).reshape(2, 3),
        (width, height),
        out,
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=GREY,
    )


def _rotate(image: np.ndarray, level: float, sign: int, out: Out) -> np.ndarray:
    angle = sign * math.radians(30.0) * level
    cos, sin = math.cos(angle), math.sin(angle)
    height, width = image.shape[0] - 1, image.shape[1] - 1
    x = (width - (cos * width - sin * height)) / 2.0
    y = (height - (sin * width + cos * height)) / 2.0
    return _transform(image, out, cos, -sin, x, sin, cos, y)


def _shear_x(image: np.ndarray, level: float, sign: int, out: Out) -> np.ndarray:
    return _transform(image, out, 1.0, sign * 0.3 * level, 0.0, 0.0, 1.0, 0.0)


def _shear_y(image: np.ndarray, level: float, sign: int, out: Out) -> np.ndarray:
    return _transform(image, out, 1.0, 0.0, 0.0, sign * 0.3 * level, 1.0, 0.0)


def _shift(level: float, side: int) -> int:
    # The paper moves by up to 100 of 331 pixels; as a share it fits every image size.
    return min(round(side * level * 100.0 / 331.0), side)


def _translate_x(image: np.ndarray, level: float, sign: int, out: Out) -> np.ndarray:
    shift = _shift(level, image.shape[1])
    left, right = (0, shift) if sign > 0 else (shift, 0)
    kept = image[:, right : image.shape[1] - left]
    return cv2.copyMakeBorder(kept, 0, 0, left, right, cv2.BORDER_CONSTANT, out, value=GREY)


def _translate_y(image: np.ndarray, level: float, sign: int, out: Out) -> np.ndarray:
    shift = _shift(level, image.shape[0])
    top, bottom = (0, shift) if sign > 0 else (shift, 0)
    kept = image[bottom : len(image) - top]
    return cv2.copyMakeBorder(kept, top, bottom, 0, 0, cv2.BORDER_CONSTANT, out, value=GREY)


OPERATIONS: dict[str, Operation] = {
    "identity": _identity,
    "auto_contrast": _auto_contrast,
    "equalize": _equalize,
    "invert": _invert,
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
