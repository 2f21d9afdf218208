"""Top-k accuracy, defined once: for the training, the gate and `effnet evaluate`.

An image is right in the top k if its true class is among the k classes with the largest scores.
Of equal scores the lower index comes first, so that the first class is the one that argmax gives;
`tf.math.top_k`, which is what a served model answers with, orders them in the same way. A row with
a score that is not a finite number is no answer, and never right.

Scores are logits or probabilities: a softmax keeps their order. Only the functions that end in
`_tensor` import TensorFlow.
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf

# What is counted and answered beside the first class.
TOP_K = 5
# The rank of a label that is right for no k: its row is no answer, or the model does not have it.
UNRANKED = np.iinfo(np.int64).max


def label_rank(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many classes come before the true one; it is right in the top k if they are fewer than k.

    Args:
      scores: float [B, C].
      labels: int64 [B]; one that is not in 0 to C - 1 is UNRANKED.

    Returns:
      int64 [B], 0 to C - 1 or UNRANKED.
    """
    num_classes = scores.shape[1]
    ranked = is_answer(scores) & (labels >= 0) & (labels < num_classes)
    scores = np.where(ranked[:, None], scores, 0.0)
    own = scores[np.arange(len(labels)), np.where(ranked, labels, 0)][:, None]  # [B, 1]
    lower = np.arange(num_classes)[None] < labels[:, None]  # [B, C]
    before = (scores > own) | ((scores == own) & lower)
    return np.where(ranked, before.sum(axis=1), UNRANKED)


def is_answer(scores: np.ndarray) -> np.ndarray:
    """Whether all scores of a row are finite numbers: bool [B] for float [B, C]."""
    return np.isfinite(scores).all(axis=1)


def label_rank_tensor(scores: "tf.Tensor", labels: "tf.Tensor") -> "tf.Tensor":
    """`label_rank` as TensorFlow operations, for float [B, C] and int64 [B]."""
    import tensorflow as tf

    num_classes = tf.shape(scores, tf.int64)[1]
    ranked = is_answer_tensor(scores) & (labels >= 0) & (labels < num_classes)
    scores = tf.where(ranked[:, None], scores, tf.zeros_like(scores))
    own = tf.gather(scores, tf.where(ranked, labels, 0), batch_dims=1)[:, None]  # [B, 1]
    lower = tf.range(num_classes)[None] < labels[:, None]  # [B, C]
    before = (scores > own) | (tf.equal(scores, own) & lower)
    return tf.where(ranked, tf.reduce_sum(tf.cast(before, tf.int64), axis=1), UNRANKED)


def is_answer_tensor(scores: "tf.Tensor") -> "tf.Tensor":
    """`is_answer` as TensorFlow operations."""
    import tensorflow as tf

    return tf.reduce_all(tf.math.is_finite(scores), axis=1)
