"""Random weights to start a training from."""

import math

import numpy as np

from trainer_module.network.model import Network


def initial_weights(network: Network, seed: int) -> dict[str, np.ndarray]:
    """Random weights: fan_out variance scaling for convolutions (as published).

    Args:
      network: the layouts.
      seed: of the random numbers.

    Returns:
      float32 arrays by name: kernels, vectors and statistics.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    arrays: dict[str, np.ndarray] = {}
    for name, shape in network.kernels.specs:
        if name == "predictions/kernel":
            # Published as VarianceScaling(1/3, fan_out, uniform) for 1,000 classes. With few
            # classes that would start at logits far from 0, so the larger side counts.
            limit = math.sqrt(1.0 / max(shape))
            values = generator.uniform(-limit, limit, shape)
        else:  # VarianceScaling(2, fan_out, truncated normal); a depthwise kernel is [k, k, C, 1]
            fan_out = shape[0] * shape[1] * shape[3]
            # A normal distribution cut at two deviations has 0.8796 of its deviation left.
            values = _truncated_normal(generator, shape) * math.sqrt(2.0 / fan_out) / 0.87962566
        arrays[name] = values.astype(np.float32)
    for name, shape in (*network.vectors.specs, *network.statistics.specs):
        one = name.endswith(("/gamma", "/moving_variance"))
        arrays[name] = np.full(shape, float(one), np.float32)
    return arrays


def _truncated_normal(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    values = generator.standard_normal(shape, np.float32)
    outside = np.abs(values) > 2.0
    while outside.any():
        values[outside] = generator.standard_normal(int(outside.sum()), np.float32)
        outside = np.abs(values) > 2.0
    return values
