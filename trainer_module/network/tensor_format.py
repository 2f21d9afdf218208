"""How activations lie in memory, and the operations that depend on it."""

from collections.abc import Callable

import tensorflow as tf

CHANNELS_LAST, CHANNELS_FIRST = "channels_last", "channels_first"
BN_EPSILON = 1e-3


class ActivationFormat:
    """Operations whose arguments depend on how activations lie in memory."""

    def __init__(self, data_format: str):
        """Takes `channels_last` or `channels_first`."""
        first = data_format == CHANNELS_FIRST
        self.name = "NCHW" if first else "NHWC"
        self._first = first
        self._pixels = [2, 3] if first else [1, 2]

    def from_channels_last(self, images: tf.Tensor) -> tf.Tensor:
        """Images [B, H, W, C] in this format."""
        return tf.transpose(images, [0, 3, 1, 2]) if self._first else images

    def spatial_mean(self, x: tf.Tensor) -> tf.Tensor:
        """The mean over the pixels, [B, C]."""
        return tf.reduce_mean(x, axis=self._pixels)

    def silu(self, x: tf.Tensor) -> tf.Tensor:
        """The activation, x times its sigmoid."""
        return tf.nn.silu(x)

    def over_pixels(self, x: tf.Tensor) -> tf.Tensor:
        """[..., C] as a factor or a summand of activations."""
        return x[..., None, None] if self._first else x[..., None, None, :]

    def convolve(self, x: tf.Tensor, kernel: tf.Tensor, stride: int, depthwise: bool) -> tf.Tensor:
        """A convolution with padding SAME; `kernel` is [k, k, in, out] or [k, k, C, 1]."""
        strides = [1, 1, stride, stride] if self._first else [1, stride, stride, 1]
        operation = tf.nn.depthwise_conv2d if depthwise else tf.nn.conv2d
        return operation(x, kernel, strides, "SAME", data_format=self.name)

    def synchronised_batch_norm(
        self,
        x: tf.Tensor,
        gamma: tf.Tensor,
        beta: tf.Tensor,
        mean_over_ranks: Callable[[tf.Tensor], tf.Tensor],
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """BatchNorm over the batches of all ranks; every rank has a batch of the same size."""
        values, axes = tf.cast(x, tf.float32), [0, *self._pixels]
        moments = tf.stack([tf.reduce_mean(values, axes), tf.reduce_mean(values**2, axes)])
        mean, mean_square = tf.unstack(mean_over_ranks(moments))
        variance = tf.maximum(mean_square - mean**2, 0.0)
        scale = gamma * tf.math.rsqrt(variance + BN_EPSILON)
        shift = self.over_pixels(beta - mean * scale)
        return tf.cast(values * self.over_pixels(scale) + shift, x.dtype), mean, variance


class ServedFormat(ActivationFormat):
    """Channels last, in the operations that TensorFlow fuses on a CPU when it serves a model.

    They give the same values; `tf.nn.silu`, which saves memory in training, is not recognised.
    """

    def __init__(self):
        """Needs no settings."""
        super().__init__(CHANNELS_LAST)

    def spatial_mean(self, x: tf.Tensor) -> tf.Tensor:
        """The mean over the pixels, [B, C]; `x` must know its height and width."""
        return tf.nn.avg_pool2d(x, x.shape[1:3], 1, "VALID")[:, 0, 0]

    def silu(self, x: tf.Tensor) -> tf.Tensor:
        """The activation, x times its sigmoid, as a product."""
        return x * tf.sigmoid(x)
