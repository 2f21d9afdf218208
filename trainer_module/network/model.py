"""EfficientNetV2 (arXiv 2104.00298) as functions of its weights.

Weights are tensors that are handed in, by name, so that the caller decides where they live: in
one float32 vector while training, as constants in an export. Input is pixels 0 to 255; the
normalisation is inside.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from preprocessing import features
from trainer_module.network.architectures import Architecture, Block
from trainer_module.network.flat_vector import Layout, Spec
from trainer_module.network.tensor_format import BN_EPSILON, CHANNELS_LAST, ActivationFormat

# Of ImageNet's training images, RGB, on a scale of 0 to 1.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_VARIANCE = (0.229**2, 0.224**2, 0.225**2)

Weights = Mapping[str, tf.Tensor]
# (input, name of the convolution, name of its BatchNorm, stride, depthwise?) -> output
ConvBn = Callable[[tf.Tensor, str, str, int, bool], tf.Tensor]


class Network:
    """The weights' layout and the forward passes of one architecture.

    Attributes:
      architecture: the resolved table.
      kernels: layout of the weights that decay: convolutions and the classifier's matrix.
      vectors: layout of those that don't: biases, BatchNorm's gamma and beta.
      statistics: layout of BatchNorm's moving mean and variance, which are not trained.
    """

    def __init__(
        self, architecture: Architecture, activations: str | ActivationFormat = CHANNELS_LAST
    ):
        """Lays out the weights of `architecture`.

        Args:
          architecture: the resolved table.
          activations: how they lie in memory; weights, inputs and outputs do not change.
        """
        self.architecture = architecture
        named = isinstance(activations, str)
        self._format = ActivationFormat(activations) if named else activations
        convolutions = list(_convolutions(architecture))
        # In the order of the network, so that gradients are ready from the end to the start.
        kernels, vectors, statistics = [], [], []
        for name, bn, shape, depthwise in convolutions:
            kernels.append(Spec(f"{name}/kernel", shape))
            channels = shape[2] if depthwise else shape[3]
            if bn is None:
                vectors.append(Spec(f"{name}/bias", (channels,)))
            else:
                vectors += [Spec(f"{bn}/gamma", (channels,)), Spec(f"{bn}/beta", (channels,))]
                statistics += [
                    Spec(f"{bn}/moving_mean", (channels,)),
                    Spec(f"{bn}/moving_variance", (channels,)),
                ]
        classifier = (architecture.top_channels, architecture.num_classes)
        kernels.append(Spec("predictions/kernel", classifier))
        vectors.append(Spec("predictions/bias", classifier[1:]))
        self.kernels = Layout(kernels)
        self.vectors = Layout(vectors)
        self.statistics = Layout(statistics)
        self._folded = [(f"{name}/kernel", bn, deep) for name, bn, _, deep in convolutions if bn]

    def named_arrays(self, vectors: Sequence[tf.Variable]) -> dict[str, np.ndarray]:
        """Kernels, vectors and statistics, in this order, as arrays by name."""
        layouts = (self.kernels, self.vectors, self.statistics)
        return {
            name: array
            for layout, vector in zip(layouts, vectors, strict=True)
            for name, array in layout.split_array(vector.numpy()).items()
        }

    def train_logits(
        self,
        weights: Weights,
        images: tf.Tensor,
        dropout_rate: float,
        survival_prob: float,
        seed: tf.Tensor,
        mean_over_ranks: Callable[[tf.Tensor], tf.Tensor] | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The forward pass of training, with the batch's own BatchNorm statistics.

        Args:
          weights: all weights by name; kernels in the dtype to compute in.
          images: uint8 or float [B, H, W, 3], 0 to 255.
          dropout_rate: before the classifier, 0 to 1.
          survival_prob: of the last block in stochastic depth (arXiv 1603.09382, section 3).
          seed: int32 [2], of dropout and stochastic depth.
          mean_over_ranks: a differentiable mean; with it, BatchNorm's statistics are those of
            the batches of all ranks (SyncBN).

        Returns:
          logits, float32 [B, classes], and the batch's statistics as a vector of `statistics`'
          layout, float32.
        """
        batch = tf.shape(images)[0]
        blocks = self.architecture.blocks
        statistics: dict[str, tf.Tensor] = {}
        uniform = tf.random.stateless_uniform([len(blocks), batch, 1, 1, 1], seed)

        def conv_bn(x: tf.Tensor, conv: str, bn: str, stride: int, depthwise: bool) -> tf.Tensor:
            x = self._format.convolve(x, weights[f"{conv}/kernel"], stride, depthwise)
            scale = weights[f"{bn}/gamma"], weights[f"{bn}/beta"]
            if mean_over_ranks is None:
                x, mean, variance = tf.compat.v1.nn.fused_batch_norm(
                    x, *scale, epsilon=BN_EPSILON, data_format=self._format.name
                )
            else:
                x, mean, variance = self._format.synchronised_batch_norm(x, *scale, mean_over_ranks)
            statistics[f"{bn}/moving_mean"] = mean
            statistics[f"{bn}/moving_variance"] = variance
            return x

        def drop_path(x: tf.Tensor, index: int) -> tf.Tensor:
            keep = 1.0 - (1.0 - survival_prob) * blocks[index].drop_share
            if keep == 1.0:
                return x
            kept = tf.floor(keep + uniform[index]) / keep  # [B, 1, 1, 1]
            return x * tf.cast(kept, x.dtype)

        pooled = self._pooled(weights, images, conv_bn, drop_path)
        if dropout_rate:
            seed = seed + tf.constant([0, 1])
            kept = tf.random.stateless_uniform(tf.shape(pooled), seed) >= dropout_rate
            pooled *= tf.cast(kept, pooled.dtype) / (1.0 - dropout_rate)
        return _classify(weights, pooled), self.statistics.join(statistics)

    def fold(self, weights: Weights, statistics: Weights) -> dict[str, tf.Tensor]:
        """Weights for inference: BatchNorm with its moving statistics is part of the kernels.

        Args:
          weights: kernels and vectors by name, float32; other names are ignored.
          statistics: the moving mean and variance by name, float32.

        Returns:
          the weights by name; each folded convolution has a bias, named as its BatchNorm.
        """
        folded = {
            name: value for name, value in weights.items() if not name.endswith(("/gamma", "/beta"))
        }
        for kernel, bn, depthwise in self._folded:
            scale = weights[f"{bn}/gamma"] * tf.math.rsqrt(
                statistics[f"{bn}/moving_variance"] + BN_EPSILON
            )
            folded[kernel] = weights[kernel] * (scale[:, None] if depthwise else scale)
            folded[f"{bn}/bias"] = weights[f"{bn}/beta"] - statistics[f"{bn}/moving_mean"] * scale
        return folded

    def infer(self, folded: Weights, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The forward pass of inference.

        Args:
          folded: what `fold` returned, in the dtype to compute in.
          images: uint8 or float [B, H, W, 3], 0 to 255.

        Returns:
          logits, float32 [B, classes], and the features before the classifier [B, top_channels].
        """

        def conv_bn(x: tf.Tensor, conv: str, bn: str, stride: int, depthwise: bool) -> tf.Tensor:
            x = self._format.convolve(x, folded[f"{conv}/kernel"], stride, depthwise)
            return tf.nn.bias_add(x, folded[f"{bn}/bias"], data_format=self._format.name)

        pooled = self._pooled(folded, images, conv_bn, lambda x, index: x)
        return _classify(folded, pooled), pooled

    def _pooled(
        self,
        weights: Weights,
        images: tf.Tensor,
        conv_bn: ConvBn,
        drop_path: Callable[[tf.Tensor, int], tf.Tensor],
    ) -> tf.Tensor:
        x = tf.cast(self._normalise(images), weights["stem_conv/kernel"].dtype)
        x = self._format.from_channels_last(x)
        x = self._format.silu(conv_bn(x, "stem_conv", "stem_bn", 2, False))  # [B, H/2, W/2, stem]
        for index, block in enumerate(self.architecture.blocks):
            y = self._block(block, weights, x, conv_bn)
            x = drop_path(y, index) + x if block.has_skip else y
        x = self._format.silu(conv_bn(x, "top_conv", "top_bn", 1, False))  # [B, H/32, W/32, top]
        return self._format.spatial_mean(x)

    def _normalise(self, images: tf.Tensor) -> tf.Tensor:
        images = tf.cast(images, tf.float32)
        if not self.architecture.imagenet_statistics:
            return images / 128.0 - 1.0
        images = images / features.PIXEL_MAX
        return (images - IMAGENET_MEAN) / np.sqrt(IMAGENET_VARIANCE).astype(np.float32)

    def _block(self, block: Block, weights: Weights, x: tf.Tensor, conv_bn: ConvBn) -> tf.Tensor:
        name = block.name
        if block.has_expansion:
            stride = block.stride if block.fused else 1
            x = self._format.silu(
                conv_bn(x, f"{name}expand_conv", f"{name}expand_bn", stride, False)
            )
        if not block.fused:
            x = self._format.silu(conv_bn(x, f"{name}dwconv2", f"{name}bn", block.stride, True))
        if block.se_channels:
            gate = _squeeze_excite(name, weights, self._format.spatial_mean(x))
            x *= self._format.over_pixels(gate)
        last_is_spatial = block.fused and not block.has_expansion
        stride = block.stride if last_is_spatial else 1
        x = conv_bn(x, f"{name}project_conv", f"{name}project_bn", stride, False)
        return self._format.silu(x) if last_is_spatial else x


def _squeeze_excite(name: str, weights: Weights, squeezed: tf.Tensor) -> tf.Tensor:
    """The gate [B, C] of a block from its mean activations [B, C]."""

    # On [B, C] a 1x1 convolution is a matrix product.
    def dense(x: tf.Tensor, layer: str) -> tf.Tensor:
        kernel = weights[f"{layer}/kernel"]  # [1, 1, in, out]
        return tf.matmul(x, kernel[0, 0]) + tf.cast(weights[f"{layer}/bias"], x.dtype)

    return tf.sigmoid(dense(tf.nn.silu(dense(squeezed, f"{name}se_reduce")), f"{name}se_expand"))


def _classify(weights: Weights, pooled: tf.Tensor) -> tf.Tensor:
    logits = tf.matmul(pooled, weights["predictions/kernel"])
    return tf.cast(logits, tf.float32) + tf.cast(weights["predictions/bias"], tf.float32)


def _convolutions(architecture: Architecture):
    """(name, name of the BatchNorm or None, kernel's shape, depthwise?) in order."""
    yield "stem_conv", "stem_bn", (3, 3, 3, architecture.stem_channels), False
    for block in architecture.blocks:
        name, size = block.name, block.kernel_px
        wide, narrow = block.expanded_channels, block.in_channels
        if block.has_expansion:
            side = size if block.fused else 1
            yield f"{name}expand_conv", f"{name}expand_bn", (side, side, narrow, wide), False
        if not block.fused:
            yield f"{name}dwconv2", f"{name}bn", (size, size, wide, 1), True
        if block.se_channels:
            yield f"{name}se_reduce", None, (1, 1, wide, block.se_channels), False
            yield f"{name}se_expand", None, (1, 1, block.se_channels, wide), False
        side = size if block.fused and not block.has_expansion else 1
        shape = (side, side, wide, block.out_channels)
        yield f"{name}project_conv", f"{name}project_bn", shape, False
    top = (1, 1, architecture.blocks[-1].out_channels, architecture.top_channels)
    yield "top_conv", "top_bn", top, False
