"""Top-1, top-5 and loss of an evaluation split, shared out over the ranks."""

import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import tensorflow as tf

from trainer_module import top_k
from trainer_module.config import TrainConfig
from trainer_module.distributed import Ranks
from trainer_module.network.model import Network
from trainer_module.train_step import compute_dtype

# What is counted of a batch, in this order.
RIGHT_1, RIGHT_5, LOSS, EXAMPLES, NOT_FINITE = range(5)

# The result of an evaluation, by name; None stands for a number that is not defined.
Result = dict[str, float | int | None]


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
        batches: Iterable[tuple[tf.Tensor, tf.Tensor]],
        weights: Sequence[tf.Tensor],
        on_batch: Callable[[], None] = lambda: None,
    ) -> Result:
        """Evaluates.

        Args:
          batches: this rank's share, of (images, labels).
          weights: kernels, vectors and statistics.
          on_batch: called after each batch.

        Returns:
          `top_1` and `top_5`, 0 to 1, `loss`, `examples` and `not_finite` (images with a logit
          that is not a finite number), over all ranks; and the milliseconds of a batch on this
          rank, `latency_ms_avg`, `_p50`, `_p90`, `_p95`, `_p99`. Weights that give even one
          image no finite logits are broken: `top_1`, `top_5` and `loss` are None then.
        """
        sums = np.zeros(5, np.float64)
        secs = []
        for images, labels in batches:
            start = time.perf_counter()
            sums += self._sums(images, labels, *weights).numpy()
            secs.append(time.perf_counter() - start)
            on_batch()
        sums = self._ranks.sum(sums)
        # The first batch traces, so it counts only where there is no other.
        latency = latency_ms(np.asarray(secs[1:] or secs))
        means = sums / sums[EXAMPLES] if not sums[NOT_FINITE] else np.full_like(sums, np.nan)
        return {
            "top_1": _number(means[RIGHT_1]),
            "top_5": _number(means[RIGHT_5]),
            "loss": _number(means[LOSS]),
            "examples": int(sums[EXAMPLES]),
            "not_finite": int(sums[NOT_FINITE]),
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
        return count_batch(self._logits(images, *weights), labels)


def count_batch(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Counts a batch.

    Args:
      logits: float32 [B, C].
      labels: int64 [B].

    Returns:
      float32 [5], what RIGHT_1 and so on say; LOSS is the sum of the cross-entropies.
    """
    rank = top_k.label_rank_tensor(logits, labels)
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    counted = [
        tf.cast(rank < 1, tf.float32),
        tf.cast(rank < top_k.TOP_K, tf.float32),
        loss,
        tf.ones_like(loss),
        1.0 - tf.cast(top_k.is_answer_tensor(logits), tf.float32),
    ]
    return tf.reduce_sum(tf.stack(counted), axis=1)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


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
