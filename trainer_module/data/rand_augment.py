"""RandAugment (arXiv 1909.13719) and AutoAugment (arXiv 1805.09501) on one uint8 image."""

from collections.abc import Sequence

import numpy as np

from trainer_module.data import pixel_ops

# On the scale of the papers and of the published recipe.
MAX_MAGNITUDE = 10.0
RAND_AUGMENT = tuple(name for name in pixel_ops.OPERATIONS if name != "invert")

# AutoAugment's table 9, the policy for ImageNet: a line is a sub-policy, an entry is
# (operation, probability, magnitude). 0 stands for the magnitude of operations that have none.
_EQUALIZE_8, _EQUALIZE_6 = ("equalize", 0.8, 0), ("equalize", 0.6, 0)
_EQUALIZE_4, _EQUALIZE_10 = ("equalize", 0.4, 0), ("equalize", 1.0, 0)
IMAGENET_POLICY = (
    (("posterize", 0.4, 8), ("rotate", 0.6, 9)),
    (("solarize", 0.6, 5), ("auto_contrast", 0.6, 0)),
    (_EQUALIZE_8, _EQUALIZE_6),
    (("posterize", 0.6, 7), ("posterize", 0.6, 6)),
    (_EQUALIZE_4, ("solarize", 0.2, 4)),
    (_EQUALIZE_4, ("rotate", 0.8, 8)),
    (("solarize", 0.6, 3), _EQUALIZE_6),
    (("posterize", 0.8, 5), _EQUALIZE_10),
    (("rotate", 0.2, 3), ("solarize", 0.6, 8)),
    (_EQUALIZE_6, ("posterize", 0.4, 6)),
    (("rotate", 0.8, 8), ("color", 0.4, 0)),
    (("rotate", 0.4, 9), _EQUALIZE_6),
    (("equalize", 0.0, 0), _EQUALIZE_8),
    (("invert", 0.6, 0), _EQUALIZE_10),
    (("color", 0.6, 4), ("contrast", 1.0, 8)),
    (("rotate", 0.8, 8), ("color", 1.0, 2)),
    (("color", 0.8, 8), ("solarize", 0.8, 7)),
    (("sharpness", 0.4, 7), ("invert", 0.6, 0)),
    (("shear_x", 0.6, 5), _EQUALIZE_10),
    (("color", 0.4, 0), _EQUALIZE_6),
    (_EQUALIZE_4, ("solarize", 0.2, 4)),
    (("solarize", 0.6, 5), ("auto_contrast", 0.6, 0)),
    (("invert", 0.6, 0), _EQUALIZE_10),
    (("color", 0.6, 4), ("contrast", 1.0, 8)),
    (_EQUALIZE_8, _EQUALIZE_6),
)


def rand_augment(
    image: np.ndarray,
    draws: np.random.Generator,
    num_layers: int,
    magnitude: float,
    out: np.ndarray | None = None,
    spare: Sequence[np.ndarray | None] = (None, None),
) -> np.ndarray:
    """Applies `num_layers` operations, each drawn from `RAND_AUGMENT`, in a random direction.

    Args:
      image: uint8 [H, W, 3], RGB; it is not written to.
      draws: the same state gives the same pixels.
      num_layers: operations, one after the other.
      magnitude: their strength; 10 is the end of the paper's scale, more goes beyond it.
      out: uint8 [H, W, 3], gets the result if it is given.
      spare: two of that shape for what lies between the layers; `image` may be the second.

    Returns:
      uint8 [H, W, 3].
    """
    choices = draws.integers(0, 2 * len(RAND_AUGMENT), num_layers)
    for layer, choice in enumerate(choices.tolist(), start=1):
        operation = pixel_ops.OPERATIONS[RAND_AUGMENT[choice // 2]]
        target = out if layer == num_layers else spare[(layer - 1) % 2]
        image = operation(image, magnitude / MAX_MAGNITUDE, 1 if choice % 2 else -1, target)
    return image


def auto_augment(image: np.ndarray, draws: np.random.Generator) -> np.ndarray:
    """Applies one of the 25 sub-policies that AutoAugment found for ImageNet.

    Args:
      image: uint8 [H, W, 3], RGB; it is not written to.
      draws: the same state gives the same pixels.

    Returns:
      uint8 [H, W, 3].
    """
    sub_policy = IMAGENET_POLICY[draws.integers(0, len(IMAGENET_POLICY))]
    chances = draws.random(len(sub_policy))
    signs = draws.integers(0, 2, len(sub_policy)) * 2 - 1
    for (name, probability, level), chance, sign in zip(sub_policy, chances, signs, strict=True):
        if chance < probability:
            image = pixel_ops.OPERATIONS[name](image, level / MAX_MAGNITUDE, int(sign), None)
    return image
