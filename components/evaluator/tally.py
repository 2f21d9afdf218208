"""What is counted of predictions: whole numbers, so that sums do not depend on their order.

A tally is an int64 vector. The tally of a set of images is the sum of those of its images. The
positions in it have names below. Losses and confidences are counted in units of 1 / SCALE.
"""

import numpy as np

from trainer_module import top_k

BINS = 15  # of equal width, of the likeliest class's probability: 0 to 1
SCALE = 1 << 20
# A class that got no probability costs the loss of this one; Keras clips at the same value.
MIN_PROBABILITY = 1e-7

EXAMPLES, ANSWERED, RIGHT_1, RIGHT_5, LOSS = range(5)
BIN_EXAMPLES = slice(5, 5 + BINS)
BIN_RIGHT = slice(5 + BINS, 5 + 2 * BINS)
BIN_CONFIDENCE = slice(5 + 2 * BINS, 5 + 3 * BINS)
SIZE = 5 + 3 * BINS

# Of two models on the same images: who alone was right.
CANDIDATE_ONLY_1, BASELINE_ONLY_1, CANDIDATE_ONLY_5, BASELINE_ONLY_5 = range(4)
PAIRS_SIZE = 4

# The predicted class where a model gave no answer, the true one where it does not know the class.
NO_CLASS = -1


def tallies(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts a batch, image by image.

    What is right in the top k, `trainer_module.top_k` says; it is what a client of the model sees.
    An image without an answer (its row has a number that is not finite) is wrong, costs the
    largest loss and is in no bin.

    Args:
      labels: int64 [B], the true class, NO_CLASS where the model does not have it.
      probabilities: float32 [B, C], 0 to 1.

    Returns:
      int64 [B, SIZE], a tally for each image, and int64 [B], the predicted classes.
    """
    count, rows = len(labels), np.arange(len(labels))
    answered = top_k.is_answer(probabilities)
    rank = top_k.label_rank(probabilities, labels)
    probabilities = np.where(answered[:, None], probabilities, 0.0)
    known = rank < top_k.UNRANKED
    own = np.where(known, probabilities[rows, np.maximum(labels, 0)], 0.0)  # [B]
    predicted = np.where(answered, probabilities.argmax(axis=1), NO_CLASS)
    confidence = probabilities[rows, np.maximum(predicted, 0)]

    result = np.zeros([count, SIZE], np.int64)
    result[:, EXAMPLES] = 1
    result[:, ANSWERED] = answered
    result[:, RIGHT_1] = rank < 1
    result[:, RIGHT_5] = rank < top_k.TOP_K
    loss = -np.log(np.clip(own.astype(np.float64), MIN_PROBABILITY, 1.0))
    result[:, LOSS] = np.rint(loss * SCALE)
    bins = np.clip((confidence * BINS).astype(np.int64), 0, BINS - 1)
    result[rows, BIN_EXAMPLES.start + bins] = answered
    result[rows, BIN_RIGHT.start + bins] = result[:, RIGHT_1]
    scaled = np.rint(confidence.astype(np.float64) * SCALE)
    result[rows, BIN_CONFIDENCE.start + bins] = np.where(answered, scaled, 0)
    return result, predicted.astype(np.int64)


def pairs(candidate: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """Counts who alone was right: of tallies [B, SIZE] of the same images, int64 [B, 4]."""
    columns = []
    for column in (RIGHT_1, RIGHT_5):
        one, other = candidate[:, column], baseline[:, column]
        columns += [one & ~other & 1, other & ~one & 1]
    return np.stack(columns, axis=1)


def mean_loss(tally: np.ndarray) -> float:
    """Mean cross-entropy, in nats."""
    return float(tally[LOSS] / SCALE / tally[EXAMPLES])


def reliability(tally: np.ndarray) -> list[dict[str, float]]:
    """The bins of a reliability diagram.

    Args:
      tally: int64 [SIZE].

    Returns:
      For each bin `low` and `high` (its bounds), `count`, and where it is not empty `accuracy`
      and `confidence`: the share of right answers, and the mean probability of the answer.
    """
    result = []
    for i in range(BINS):
        count = int(tally[BIN_EXAMPLES][i])
        entry: dict[str, float] = {"low": i / BINS, "high": (i + 1) / BINS, "count": count}
        if count:
            entry["accuracy"] = float(tally[BIN_RIGHT][i] / count)
            entry["confidence"] = float(tally[BIN_CONFIDENCE][i] / SCALE / count)
        result.append(entry)
    return result


def calibration_error(tally: np.ndarray) -> float:
    """Expected calibration error, 0 to 1: the bins' mean |accuracy - confidence|.

    As in Guo et al., On Calibration of Modern Neural Networks, ICML 2017: weighted by the bins'
    images, over the likeliest class. 0 where the model gave no answer at all.
    """
    gaps = np.abs(tally[BIN_RIGHT] - tally[BIN_CONFIDENCE] / SCALE).sum()
    return float(gaps / max(int(tally[ANSWERED]), 1))
