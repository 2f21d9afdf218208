"""The operations of RandAugment and AutoAugment on one uint8 image, with OpenCV.

How strong an operation is at a magnitude is that of the published EfficientNetV2 recipe (NVIDIA
DeepLearningExamples, TensorFlow2/Classification/ConvNets, dataloader/augment.py), except where
`docs/recipes.md` says otherwise.

Pixels stay uint8 from decoding to the batch. Each operation is written with those of OpenCV's
and numpy's functions that use vector instructions on uint8: at 300 x 300 px a table look-up takes
0.06 ms, where a comparison, a bit mask or a sum takes 0.01 ms.
"""

import cv2
import numpy as np

from trainer_module.data import geometric_ops
from trainer_module.data.geometric_ops import MAX_MAGNITUDE, Chance, Operation, Out

_LUMA = np.array([0.2989, 0.587, 0.114], np.float32)  # ITU-R BT.601
_IDENTITY = np.eye(3, dtype=np.float32)
# Rows and columns in which `is_plain` looks for another colour before it looks everywhere.
_SAMPLES = 8


def apply(name: str, image: np.ndarray, magnitude: float, chance: Chance, out: Out) -> np.ndarray:
    """Applies an operation, unless it would leave one colour of a picture that has several.

    Overexposed pictures get white when they are made brighter, dark ones black when they get
    fewer bits: then the picture stays as it is.

    Args:
      name: a key of `OPERATIONS`.
      image: uint8 [H, W, 3], RGB; it is not written to.
      magnitude: 0 to 30; 10 is the end of the papers' scale.
      chance: see `Chance`.
      out: uint8 [H, W, 3], gets the result if it is given.

    Returns:
      uint8 [H, W, 3].
    """
    result = OPERATIONS[name](image, magnitude, chance, out)
    if is_plain(result) and not is_plain(image):
        return cv2.copyTo(image, None, out)
    return result


def is_plain(image: np.ndarray) -> bool:
    """Whether all pixels of uint8 [H, W, 3] have the same colour."""
    first = image[0, 0]
    height, width, _ = image.shape
    some = image[:: max(1, height // _SAMPLES), :: max(1, width // _SAMPLES)]
    return not (some != first).any() and not (image != first).any()


def _identity(image: np.ndarray, magnitude: float, chance: Chance, out: Out) -> np.ndarray:
    return cv2.copyTo(image, None, out)


def _auto_contrast(image: np.ndarray, magnitude: float, chance: Chance, out: Out) -> np.ndarray:
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


def _equalize(image: np.ndarray, magnitude: float, chance: Chance, out: Out) -> np.ndarray:
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


def _invert(image: np.ndarray, magnitude: float, chance: Chance, out: Out) -> np.ndarray:
    return cv2.bitwise_not(image, out)


def _scaled(magnitude: float, at_10: float) -> int:
    return int(magnitude / MAX_MAGNITUDE * at_10)


def _solarize(image: np.ndarray, magnitude: float, chance: Chance, out: Out) -> np.ndarray:
    threshold = min(_scaled(magnitude, 256), 256)
    _, above = cv2.threshold(image, threshold - 1, 255, cv2.THRESH_BINARY)
    return cv2.bitwise_xor(image, above, out)  # v ^ 255 is 255 - v


def _solarize_add(image: np.ndarray, magnitude: float, chance: Chance, out: Out) -> np.ndarray:
    addition = min(_scaled(magnitude, 110), 255)
    _, dark = cv2.threshold(image, 127, addition, cv2.THRESH_BINARY_INV)
    return cv2.add(image, dark, out)


def _posterize(image: np.ndarray, magnitude: float, chance: Chance, out: Out) -> np.ndarray:
    kept_bits = min(max(1, _scaled(magnitude, 4)), 8)
    return np.bitwise_and(image, np.uint8(256 - 2 ** (8 - kept_bits)), out=out)


def _factor(magnitude: float) -> float:
    return 0.1 + 1.8 * magnitude / MAX_MAGNITUDE  # 0 is the base, 1 the image, more goes beyond


def _color(image: np.ndarray, magnitude: float, chance: Chance, out: Out) -> np.ndarray:
    # Between each pixel and its grey: a product with a 3 x 3 matrix.
    factor = np.float32(_factor(magnitude))
    return cv2.transform(image, factor * _IDENTITY + (1 - factor) * np.tile(_LUMA, (3, 1)), out)


def _contrast(image: np.ndarray, magnitude: float, chance: Chance, out: Out) -> np.ndarray:
    factor = _factor(magnitude)
    grey = float(np.dot(cv2.mean(image)[:3], _LUMA))
    return cv2.addWeighted(image, factor, image, 0.0, (1.0 - factor) * grey, out)


def _brightness(image: np.ndarray, magnitude: float, chance: Chance, out: Out) -> np.ndarray:
    return cv2.convertScaleAbs(image, out, alpha=_factor(magnitude))


def _sharpness(image: np.ndarray, magnitude: float, chance: Chance, out: Out) -> np.ndarray:
    # Between each pixel and the mean of the 3 x 3 around it, in which it counts five times: 9/13
    # of the plain mean and 4/13 of the pixel.
    factor = _factor(magnitude)
    mean = cv2.blur(image, (3, 3))
    result = cv2.addWeighted(
        image, (4.0 + 9.0 * factor) / 13.0, mean, (9.0 - 9.0 * factor) / 13.0, 0.0, out
    )
    # The edge, which the filter does not reach, stays as it is.
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        result[edge] = image[edge]
    return result


OPERATIONS: dict[str, Operation] = {
    "identity": _identity,
    "auto_contrast": _auto_contrast,
    "equalize": _equalize,
    "invert": _invert,
    "rotate": geometric_ops.rotate,
    "posterize": _posterize,
    "solarize": _solarize,
    "solarize_add": _solarize_add,
    "color": _color,
    "contrast": _contrast,
    "brightness": _brightness,
    "sharpness": _sharpness,
    "shear_x": geometric_ops.shear_x,
    "shear_y": geometric_ops.shear_y,
    "translate_x": geometric_ops.translate_x,
    "translate_y": geometric_ops.translate_y,
    "cutout": geometric_ops.cutout,
}
