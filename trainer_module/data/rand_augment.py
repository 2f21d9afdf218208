"""RandAugment (arXiv 1909.13719) and AutoAugment (arXiv 1805.09501) on one uint8 image."""

from collections.abc import Sequence

import numpy as np

from trainer_module.data import pixel_ops

# The 16 of the published recipe, and as a seventeenth that nothing happens.
RAND_AUGMENT = tuple(pixel_ops.OPERATIONS)

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
    """Applies `num_layers` operations, each drawn from `RAND_AUGMENT`.

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
    numbers = draws.random((num_layers, 3)).tolist()
    for layer, (choice, *chance) in enumerate(numbers, start=1):
        name = RAND_AUGMENT[int(choice * len(RAND_AUGMENT))]
        target = out if layer == num_layers else spare[(layer - 1) % 2]
        image = pixel_ops.apply(name, image, magnitude, chance, target)
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
    numbers = draws.random((len(sub_policy), 3)).tolist()
    for (name, probability, magnitude), (number, *chance) in zip(sub_policy, numbers, strict=True):
        if number < probability:
            image = pixel_ops.apply(name, image, magnitude, chance, None)
    return image
