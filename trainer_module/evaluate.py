"""Top-1, top-5 and loss of an evaluation split, shared out over the ranks."""

import time
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from trainer_module.config import TrainConfig
from trainer_module.distributed import Ranks
from trainer_module.network.model import Network
from trainer_module.train_step import compute_dtype

TOP_K = 5


class Evaluation:
    """Evaluates weights that are handed in as vectors."""

    def __init__(self, network: Network, config: TrainConfig, ranks: Ranks):
        """Prepares; the graph is traced at the first use."""
        self._ranks = ranks
        self._logits = tf.function(
            make_logits(network, compute_dtype(config)),
            autograph=False,
            jit_compile=config.use_xla,
        )
        self._sums = tf.function(
            self._batch_sums,
            autograph=False,
            input_signature=[
                tf.TensorSpec([None, None, None, 3], tf.uint8),
                tf.TensorSpec([None], tf.int64),
                *(
                    tf.TensorSpec([layout.size])
                    for layout in (network.kernels, network.vectors, network.statistics)
                ),
            ],
        )

    def __call__(
        self,
        dataset: tf.data.Dataset,
        weights: Sequence[tf.Tensor],
        on_batch: Callable[[], None] = lambda: None,
    ) -> dict[str, float]:
        """Evaluates.

        Args:
          dataset: this rank's share, of (images, labels).
          weights: kernels, vectors and statistics.
          on_batch: called after each batch.

        Returns:
          `top_1` and `top_5`, 0 to 1, `loss` and `examples`, over all ranks; and the
          milliseconds of a batch on this rank, `latency_ms_avg`, `_p50`, `_p90`, `_p95`, `_p99`.
        """
        sums = np.zeros(4, np.float64)  # right in 1, right in 5, loss, examples
        secs = []
        for images, labels in dataset:
            start = time.perf_counter()
            sums += self._sums(images, labels, *weights).numpy()
            secs.append(time.perf_counter() - start)
            on_batch()
        top_1, top_5, loss, examples = self._ranks.sum(sums)
        # The first batch traces, so it counts only where there is no other.
        latency = latency_ms(np.asarray(secs[1:] or secs))
        return {
            "top_1": float(top_1 / examples),
            "top_5": float(top_5 / examples),
            "loss": float(loss / examples),
            "examples": int(examples),
            **{f"latency_ms_{name}": value for name, value in latency.items()},
        }

    def time_batches(
        self, dataset: tf.data.Dataset, weights: Sequence[tf.Tensor], warm_up: int
    ) -> tuple[np.ndarray, int]:
        """The seconds of each batch after the first `warm_up`, and the images in them."""
        secs, count = [], 0
        for number, (images, labels) in enumerate(dataset):
            start = time.perf_counter()
            self._sums(images, labels, *weights).numpy()
            if number >= warm_up:
                secs.append(time.perf_counter() - start)
                count += int(tf.size(labels))
        return np.asarray(secs), count

    def _batch_sums(self, images, labels, *weights) -> tf.Tensor:
        logits = self._logits(images, *weights)
        own = tf.gather(logits, labels, batch_dims=1)
        # Ties count against the model, so that equal logits are not all 'right'.
        rank = tf.reduce_sum(tf.cast(logits >= own[:, None], tf.int32), axis=-1)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        return tf.stack(
            [
                tf.reduce_sum(tf.cast(rank <= 1, tf.float32)),
                tf.reduce_sum(tf.cast(rank <= TOP_K, tf.float32)),
                tf.reduce_sum(loss),
                tf.cast(tf.size(labels), tf.float32),
            ]
        )


def latency_ms(secs: np.ndarray) -> dict[str, float]:
    """Average and percentiles of durations, in milliseconds; empty for none."""
    if not len(secs):
        return {}
    percentiles = {f"p{p}": np.percentile(secs, p) for p in (50, 90, 95, 99)}
    values = {"avg": secs.mean(), **percentiles}
    return {name: round(float(value) * 1000.0, 3) for name, value in values.items()}


def make_logits(network: Network, dtype: tf.DType) -> Callable[..., tf.Tensor]:
    """A function of (images, kernels, vectors, statistics) that gives logits [B, classes]."""

    def logits(images, kernels, vectors, statistics):
        weights = {**network.kernels.split(kernels), **network.vectors.split(vectors)}
        folded = network.fold(weights, network.statistics.split(statistics))
        folded = {name: tf.cast(value, dtype) for name, value in folded.items()}
        return network.infer(folded, images)[0]

    return logits
