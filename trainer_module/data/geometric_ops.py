"""The operations of RandAugment that move or cover pixels, on one uint8 image.

Strengths are those of the published recipe; see `pixel_ops.py`, which has the other operations.
"""

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np

# tf.data runs many images at a time; threads inside each would only be in each other's way.
cv2.setNumThreads(1)

# On the scale of the papers; the published recipe goes to 15.
MAX_MAGNITUDE = 10.0
# Distances are published in pixels, for pictures of the recipe's stages. Smaller pictures than in
# its first stage are moved and cut by the same share as those.
SMALLEST_PUBLISHED_PX = 171
TRANSLATE_PX, CUTOUT_PX = 100.0, 40.0  # at MAX_MAGNITUDE; the second is half the square's side
# Nothing is moved by more than this share of a side, and no larger square is cut out: with the
# published stages and magnitudes nothing comes to more.
MAX_SHARE = 0.5
GREY = (128, 128, 128)  # of what is cut out
Out = np.ndarray | None
# Two numbers, 0 or more and less than 1: the direction of operations that have one comes from the
# first, and the position of what is cut out from both.
Chance = Sequence[float]
# (image uint8 [H, W, 3] RGB, magnitude, chance, out) -> uint8 [H, W, 3]. The image that comes in is
# never written to. The result is written to `out`, of the image's shape, where it is given: a copy
# less.
Operation = Callable[[np.ndarray, float, Chance, Out], np.ndarray]


def _sign(chance: Chance) -> int:
    return 1 if chance[0] < 0.5 else -1


def _transform(image: np.ndarray, out: Out, *matrix: float) -> np.ndarray:
    """Output (x, y) takes the pixel at the matrix [[a, b, c], [d, e, f]] times (x, y, 1).

    Outside of the picture lies its mirror image.
    """
    height, width, _ = image.shape
    return cv2.warpAffine(
        image,
        np.array(matrix).reshape(2, 3),
        (width, height),
        out,
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )


def rotate(image: np.ndarray, magnitude: float, chance: Chance, out: Out) -> np.ndarray:
    """Turned about its centre, by 30 degrees at MAX_MAGNITUDE."""
    angle = _sign(chance) * math.radians(30.0) * magnitude / MAX_MAGNITUDE
    cos, sin = math.cos(angle), math.sin(angle)
    height, width = image.shape[0] - 1, image.shape[1] - 1
    x = (width - (cos * width - sin * height)) / 2.0
    y = (height - (sin * width + cos * height)) / 2.0
    return _transform(image, out, cos, -sin, x, sin, cos, y)


def _shear(magnitude: float, chance: Chance) -> float:
    return _sign(chance) * 0.3 * magnitude / MAX_MAGNITUDE


def shear_x(image: np.ndarray, magnitude: float, chance: Chance, out: Out) -> np.ndarray:
    """Sheared: rows move to the side."""
    return _transform(image, out, 1.0, _shear(magnitude, chance), 0.0, 0.0, 1.0, 0.0)


def shear_y(image: np.ndarray, magnitude: float, chance: Chance, out: Out) -> np.ndarray:
    """Sheared: columns move up or down."""
    return _transform(image, out, 1.0, 0.0, 0.0, _shear(magnitude, chance), 1.0, 0.0)


def _distance_px(magnitude: float, at_10: float, side_px: int) -> float:
    return magnitude / MAX_MAGNITUDE * at_10 * min(1.0, side_px / SMALLEST_PUBLISHED_PX)


def _shift(magnitude: float, side_px: int) -> int:
    distance_px = round(_distance_px(magnitude, TRANSLATE_PX, side_px))
    return min(distance_px, int(side_px * MAX_SHARE))


def translate_x(image: np.ndarray, magnitude: float, chance: Chance, out: Out) -> np.ndarray:
    """Moved to the left or right; the other side shows the mirror image."""
    shift = _shift(magnitude, image.shape[1])
    if not shift:
        return cv2.copyTo(image, None, out)
    result = np.empty_like(image) if out is None else out
    if _sign(chance) < 0:
        result[:, shift:], result[:, :shift] = image[:, :-shift], _mirrored(image[:, :shift])
    else:
        result[:, :-shift], result[:, -shift:] = image[:, shift:], _mirrored(image[:, -shift:])
    return result


def _mirrored(image: np.ndarray) -> np.ndarray:
    return cv2.flip(image, 1).reshape(
        image.shape
    )  # numpy's reversed columns take ten times as long


def translate_y(image: np.ndarray, magnitude: float, chance: Chance, out: Out) -> np.ndarray:
    """Moved up or down; the other side shows the mirror image."""
    shift = _shift(magnitude, len(image))
    if not shift:
        return cv2.copyTo(image, None, out)
    result = np.empty_like(image) if out is None else out
    if _sign(chance) < 0:
        result[shift:], result[:shift] = image[:-shift], image[shift - 1 :: -1]
    else:
        result[:-shift], result[-shift:] = image[shift:], image[: -shift - 1 : -1]
    return result


def cutout(image: np.ndarray, magnitude: float, chance: Chance, out: Out) -> np.ndarray:
    """A grey square with its centre anywhere in the picture (arXiv 1708.04552)."""
    result = cv2.copyTo(image, None, out)
    height, width, _ = image.shape
    side_px = min(height, width)
    half = int(min(_distance_px(magnitude, CUTOUT_PX, side_px), side_px * MAX_SHARE / 2))
    y, x = int(chance[0] * height), int(chance[1] * width)
    result[max(0, y - half) : y + half, max(0, x - half) : x + half] = GREY
    return result
