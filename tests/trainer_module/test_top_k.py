"""The one definition of top-k, and that all who count by it count the same."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn import metrics as reference

from components.evaluator import tally
from pipeline.commands import evaluate
from pipeline.inference.classifier import Classifier
from pipeline.inference.labelled_images import LabelledImage
from preprocessing.errors import InputError
from trainer_module import top_k
from trainer_module.evaluate import RIGHT_1, RIGHT_5, count_batch

CLASSES = 7
NOT_FINITE = (np.nan, np.inf, -np.inf)
# Few different values, so that ties are frequent.
SCORES = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 20), st.just(CLASSES)),
    elements=st.sampled_from([-2.0, -0.5, 0.0, 0.25, 3.0]),
)


def rows(scores: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores with some rows that are no answer, and labels of which some are not known."""
    generator = np.random.default_rng(seed)
    scores = scores.copy()
    for row in np.flatnonzero(generator.random(len(scores)) < 0.2):
        scores[row, generator.integers(CLASSES)] = generator.choice(NOT_FINITE)
    return scores, generator.integers(-1, CLASSES + 1, len(scores))


@given(SCORES, st.integers(0, 2**32))
@settings(deadline=None)
def test_numpy_and_tensorflow_agree_with_tensorflows_own_order(scores, seed):
    scores, labels = rows(scores, seed)
    rank = top_k.label_rank(scores, labels)
    np.testing.assert_array_equal(
        rank, top_k.label_rank_tensor(tf.constant(scores), tf.constant(labels)).numpy()
    )
    order = tf.math.top_k(tf.constant(scores), CLASSES).indices.numpy()
    for row in range(len(scores)):
        if np.isfinite(scores[row]).all() and 0 <= labels[row] < CLASSES:
            assert rank[row] == list(order[row]).index(labels[row])
            assert (rank[row] == 0) == (scores[row].argmax() == labels[row])
        else:
            assert rank[row] == top_k.UNRANKED


def test_agrees_with_scikit_learn_where_there_are_no_ties():
    generator = np.random.default_rng(0)
    scores, labels = generator.random([300, CLASSES]), generator.integers(0, CLASSES, 300)
    for k in (1, 5):
        expected = reference.top_k_accuracy_score(labels, scores, k=k, labels=range(CLASSES))
        assert (top_k.label_rank(scores, labels) < k).mean() == pytest.approx(expected)


@pytest.fixture(scope="module")
def answers(pictures):
    """Scores float32 [40, CLASSES] with many ties, and true classes int64 [40]."""
    generator = np.random.default_rng(0)
    scores = generator.integers(0, 4, [len(pictures), CLASSES]).astype(np.float32) / 4
    return scores, generator.integers(0, CLASSES, len(scores))


def of_training(scores: np.ndarray, labels: np.ndarray) -> list[int]:
    """What a training counts."""
    counts = count_batch(tf.constant(scores), tf.constant(labels)).numpy()
    return [int(counts[place]) for place in (RIGHT_1, RIGHT_5)]


def of_gate(scores: np.ndarray, labels: np.ndarray) -> list[int]:
    """What the Evaluator counts."""
    counts = tally.tallies(labels, scores)[0].sum(axis=0)
    return [int(counts[place]) for place in (tally.RIGHT_1, tally.RIGHT_5)]


@pytest.fixture
def of_command(write_model, pictures, tmp_path):
    """What `effnet evaluate` counts, of a model that gives these scores to the pictures."""

    def count(scores: np.ndarray, labels: np.ndarray) -> list[int]:
        names = [str(number) for number in range(CLASSES)]
        model = write_model(tmp_path / "model", dict(zip(pictures, scores, strict=True)), names)
        images = [LabelledImage("", p, str(n)) for p, n in zip(pictures, labels, strict=True)]
        result = evaluate.measure(Classifier.load(model), images, batch_size=32)
        return [result.top_1, result.top_5]

    return count


def test_training_gate_and_command_count_the_same(answers, of_command):
    scores, labels = answers
    rank = top_k.label_rank(scores, labels)
    expected = [int((rank < k).sum()) for k in (1, 5)]
    assert expected[0] == (scores.argmax(axis=1) == labels).sum()
    assert of_training(scores, labels) == expected
    assert of_gate(scores, labels) == expected
    assert of_command(scores, labels) == expected


@pytest.mark.parametrize("value", NOT_FINITE)
def test_an_answer_that_is_no_number_is_right_for_none_of_them(answers, of_command, value):
    scores = np.where(np.arange(CLASSES) == 3, value, answers[0])
    labels = np.full(len(scores), 3)
    assert of_training(scores, labels) == of_gate(scores, labels) == [0, 0]
    with pytest.raises(InputError, match="not finite numbers"):
        of_command(scores, labels)
