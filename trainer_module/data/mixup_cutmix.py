"""Mixup and CutMix on batches: stateless, on uint8 pixels."""

import tensorflow as tf

from trainer_module.data.eval_image import to_uint8


def mix_batch(
    images: tf.Tensor,
    targets: tf.Tensor,
    seed: tf.Tensor,
    mixup_alpha: float | tf.Tensor,
    cutmix_alpha: float | tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Mixes each image of a batch with its neighbour.

    Where both are on, each batch gets one of them, with equal probability.

    Args:
      images: uint8 [B, S, S, 3].
      targets: float32 [B, classes].
      seed: int32 [2].
      mixup_alpha: of the Beta distribution of mixup (arXiv 1710.09412), float32 []; 0 is off.
      cutmix_alpha: of the Beta distribution of CutMix (arXiv 1905.04899), float32 []; 0 is off.

    Returns:
      images and targets of the same shapes and dtypes.
    """
    mixup_alpha = tf.convert_to_tensor(mixup_alpha, tf.float32)
    cutmix_alpha = tf.convert_to_tensor(cutmix_alpha, tf.float32)
    first = tf.random.stateless_uniform([], tf.random.fold_in(seed, 0)) < 0.5
    uses_mixup = (mixup_alpha > 0) & ((cutmix_alpha == 0) | first)
    return tf.case(
        [
            (uses_mixup, lambda: mixup(images, targets, seed, mixup_alpha)),
            (cutmix_alpha > 0, lambda: cutmix(images, targets, seed, cutmix_alpha)),
        ],
        default=lambda: (tf.identity(images), tf.identity(targets)),
    )


def mixup(
    images: tf.Tensor, targets: tf.Tensor, seed: tf.Tensor, alpha: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Blends each image with its neighbour; see `mix_batch`."""
    share = _beta(tf.shape(images)[0], tf.random.fold_in(seed, 1), alpha)  # [B], of the own image
    own, other = tf.cast(images, tf.float32), tf.cast(_neighbour(images), tf.float32)
    weight = share[:, None, None, None]
    mixed = to_uint8(weight * own + (1.0 - weight) * other)
    return mixed, _mix_targets(targets, share)


def cutmix(
    images: tf.Tensor, targets: tf.Tensor, seed: tf.Tensor, alpha: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Pastes a box of its neighbour into each image; see `mix_batch`."""
    shape = tf.shape(images)
    batch, height, width = shape[0], shape[1], shape[2]
    share = _beta(batch, tf.random.fold_in(seed, 2), alpha)
    centre = tf.random.stateless_uniform([batch, 2], tf.random.fold_in(seed, 3))
    half = tf.sqrt(1.0 - share) / 2.0  # of the box's side, as a share of the image's

    def inside(axis: int, pixels: tf.Tensor) -> tf.Tensor:  # bool [B, pixels]
        position = (tf.range(tf.cast(pixels, tf.float32)) + 0.5) / tf.cast(pixels, tf.float32)
        return tf.abs(position[None] - centre[:, axis, None]) < half[:, None]

    box = tf.logical_and(inside(0, height)[:, :, None], inside(1, width)[:, None, :])  # [B, H, W]
    mixed = tf.where(box[..., None], _neighbour(images), images)
    # The box may reach over the edge, so the share is counted.
    return mixed, _mix_targets(targets, 1.0 - tf.reduce_mean(tf.cast(box, tf.float32), [1, 2]))


def _neighbour(batch: tf.Tensor) -> tf.Tensor:
    return tf.roll(batch, 1, axis=0)


def _mix_targets(targets: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    return share[:, None] * targets + (1.0 - share[:, None]) * _neighbour(targets)


def _beta(batch: tf.Tensor, seed: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
    """Beta(alpha, alpha), float32 [batch]: two Gamma variables, one's share of the sum."""
    gamma = tf.random.stateless_gamma([2, batch], seed, alpha=alpha)
    total = tf.reduce_sum(gamma, axis=0)
    # Both can be 0 for a tiny alpha; then the image stays as it is.
    return tf.where(total > 0, tf.math.divide_no_nan(gamma[0], total), 1.0)
