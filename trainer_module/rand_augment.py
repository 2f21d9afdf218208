"""RandAugment (arXiv 1909.13719) and AutoAugment (arXiv 1805.09501): stateless, on one image."""

import numpy as np
import tensorflow as tf

from trainer_module import pixel_ops

# On the scale of the papers and of the published recipe.
MAX_MAGNITUDE = 10.0
RAND_AUGMENT = tuple(name for name in pixel_ops.OPERATIONS if name != "invert")
# Set apart from the seeds of crops and flips.
_RAND_SEED, _AUTO_SEED = 1000, 2000

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


def rand_augment(image: tf.Tensor, seed: tf.Tensor, num_layers: int, magnitude: float) -> tf.Tensor:
    """Applies `num_layers` operations, each drawn from `RAND_AUGMENT`.

    Args:
      image: uint8 [H, W, 3], with H and W known.
      seed: int32 [2]; the same seed gives the same pixels.
      num_layers: operations, one after the other.
      magnitude: their strength; 10 is the end of the paper's scale, more goes beyond it.

    Returns:
      uint8 [H, W, 3].
    """
    level = magnitude / MAX_MAGNITUDE
    rows = np.concatenate([pixel_ops.rows(name, level, image.shape) for name in RAND_AUGMENT])
    kernels = np.repeat([pixel_ops.kernel_index(name) for name in RAND_AUGMENT], 2)
    choices = tf.random.stateless_uniform(
        [num_layers],
        seed + tf.constant([0, _RAND_SEED]),
        minval=0,
        maxval=len(rows),
        dtype=tf.int32,
    )
    rows, kernels = tf.constant(rows), tf.constant(kernels, tf.int32)  # [operations * 2, ...]
    for choice in tf.unstack(choices):
        image = pixel_ops.run_kernel(image, tf.gather(kernels, choice), tf.gather(rows, choice))
    return image


def auto_augment(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Applies one of the 25 sub-policies that AutoAugment found for ImageNet.

    Args:
      image: uint8 [H, W, 3], with H and W known.
      seed: int32 [2]; the same seed gives the same pixels.

    Returns:
      uint8 [H, W, 3].
    """
    draws = tf.random.stateless_uniform([5], seed + tf.constant([0, _AUTO_SEED]))
    chosen = tf.cast(draws[0] * len(IMAGENET_POLICY), tf.int32)
    identity = pixel_ops.kernel_index("identity")
    for layer in range(2):
        steps = [sub_policy[layer] for sub_policy in IMAGENET_POLICY]
        rows = [
            pixel_ops.rows(name, level / MAX_MAGNITUDE, image.shape) for name, _, level in steps
        ]
        kernels = tf.constant([pixel_ops.kernel_index(name) for name, _, _ in steps])
        chances = tf.constant([chance for _, chance, _ in steps])
        used = draws[1 + 2 * layer] < tf.gather(chances, chosen)
        sign = tf.cast(draws[2 + 2 * layer] * 2.0, tf.int32)
        image = pixel_ops.run_kernel(
            image,
            tf.where(used, tf.gather(kernels, chosen), identity),
            tf.gather(tf.constant(np.concatenate(rows)), 2 * chosen + sign),
        )
    return image
