"""Many named tensors as one vector.

The training state is a handful of vectors: an optimizer step, an allreduce, a checkpoint or a
digest is then one operation instead of one for each of 450 variables. Tracing is faster, XLA and
Horovod see few large tensors, and the order of the elements is fixed.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf


class Spec(NamedTuple):
    """Name and shape of one tensor."""

    name: str
    shape: tuple[int, ...]


class Layout:
    """The order in which tensors stand in the vector.

    Attributes:
      specs: the tensors, in order.
      size: elements of the vector.
    """

    def __init__(self, specs: Sequence[Spec]):
        """Lays `specs` out one after the other."""
        self.specs = tuple(specs)
        self._sizes = [math.prod(spec.shape) for spec in self.specs]
        self.size = sum(self._sizes)

    def split(self, flat: tf.Tensor) -> dict[str, tf.Tensor]:
        """The named tensors of a vector [size], in any dtype; differentiable."""
        parts = tf.split(flat, self._sizes)
        return {
            spec.name: tf.reshape(part, spec.shape)
            for spec, part in zip(self.specs, parts, strict=True)
        }

    def split_array(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """The named arrays of a vector [size], as views."""
        parts = np.split(flat, np.cumsum(self._sizes)[:-1])
        return {
            spec.name: part.reshape(spec.shape)
            for spec, part in zip(self.specs, parts, strict=True)
        }

    def join(self, tensors: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """The vector [size] of named tensors."""
        return tf.concat([tf.reshape(tensors[spec.name], [-1]) for spec in self.specs], axis=0)

    def join_arrays(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        """The vector float32 [size] of named arrays.

        Raises:
          ValueError: an array has another shape than the layout says.
        """
        for spec in self.specs:
            if arrays[spec.name].shape != spec.shape:
                raise ValueError(
                    f"{spec.name} must have shape {spec.shape}. Received: {arrays[spec.name].shape}"
                )
        flat = [np.asarray(arrays[spec.name], np.float32).reshape(-1) for spec in self.specs]
        return np.concatenate(flat)
