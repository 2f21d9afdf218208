import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from components.evaluator import tally


@pytest.fixture(scope="module")
def batch():
    """Labels int64 [200] and probabilities float32 [200, 12]."""
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.full(12, 0.3), 200).astype(np.float32)
    labels = np.where(
        generator.random(200) < 0.4, probabilities.argmax(1), generator.integers(0, 12, 200)
    )
    return labels, probabilities


def test_agrees_with_other_implementations(batch):
    labels, probabilities = batch
    own, predicted = tally.tallies(labels, probabilities)
    total = own.sum(axis=0)
    assert total[tally.RIGHT_1] == reference.accuracy_score(labels, predicted, normalize=False)
    top_5 = reference.top_k_accuracy_score(
        labels, probabilities, k=5, labels=range(12), normalize=False
    )
    assert total[tally.RIGHT_5] == top_5
    loss = tf.keras.losses.sparse_categorical_crossentropy(labels, probabilities).numpy().mean()
    assert tally.mean_loss(total) == pytest.approx(loss, abs=1e-5)


def test_calibration_error_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.45, 0.55]], np.float32)
    own, _ = tally.tallies(np.array([0, 1, 0, 1]), probabilities)
    total = own.sum(axis=0)
    # Bins of 0.9 (two images, one right), 0.6 and 0.55 (one image each, right).
    expected = (abs(1 - 1.8) + abs(1 - 0.6) + abs(1 - 0.55)) / 4
    assert tally.calibration_error(total) == pytest.approx(expected, abs=1e-6)
    bins = [entry for entry in tally.reliability(total) if entry["count"]]
    assert [(b["count"], b["accuracy"]) for b in bins] == [(1, 1.0), (1, 1.0), (2, 0.5)]
    for entry in bins:
        assert entry["low"] <= entry["confidence"] <= entry["high"]


def test_order_and_batches_do_not_matter(batch):
    labels, probabilities = batch
    order = np.random.default_rng(1).permutation(len(labels))
    whole = tally.tallies(labels, probabilities)[0].sum(axis=0)
    parts = sum(
        tally.tallies(labels[rows], probabilities[rows])[0].sum(axis=0)
        for rows in np.array_split(order, 7)
    )
    np.testing.assert_array_equal(parts, whole)


def test_rows_without_an_answer_and_unknown_classes_are_wrong():
    probabilities = np.array([[np.nan, np.nan], [1.0, 0.0]], np.float32)
    own, predicted = tally.tallies(np.array([0, tally.NO_CLASS]), probabilities)
    np.testing.assert_array_equal(own[:, tally.RIGHT_1], 0)
    np.testing.assert_array_equal(own[:, tally.RIGHT_5], 0)
    np.testing.assert_array_equal(own[:, tally.ANSWERED], [0, 1])
    np.testing.assert_array_equal(predicted, [tally.NO_CLASS, 0])
    assert tally.mean_loss(own.sum(axis=0)) == pytest.approx(-np.log(1e-7), abs=1e-5)
    assert tally.calibration_error(own[:1].sum(axis=0)) == 0.0


def test_of_equal_probabilities_the_lower_index_is_the_answer():
    probabilities = np.full([2, 10], 0.1, np.float32)
    own, predicted = tally.tallies(np.array([0, 5]), probabilities)
    np.testing.assert_array_equal(predicted, [0, 0])
    np.testing.assert_array_equal(own[:, tally.RIGHT_1], [1, 0])
    np.testing.assert_array_equal(own[:, tally.RIGHT_5], [1, 0])  # the sixth of ten equals


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1))
def test_pairs_are_who_alone_was_right(rows):
    labels = np.zeros(len(rows), np.int64)
    sides = [
        np.array([[0.8, 0.2] if row[side] else [0.2, 0.8] for row in rows], np.float32)
        for side in (0, 1)
    ]
    candidate, baseline = (tally.tallies(labels, side)[0] for side in sides)
    total = tally.pairs(candidate, baseline).sum(axis=0)
    assert total[tally.CANDIDATE_ONLY_1] == rows.count((True, False))
    assert total[tally.BASELINE_ONLY_1] == rows.count((False, True))
    assert total[tally.CANDIDATE_ONLY_5] == total[tally.BASELINE_ONLY_5] == 0  # of two classes
    difference = candidate[:, tally.RIGHT_1].sum() - baseline[:, tally.RIGHT_1].sum()
    assert total[tally.CANDIDATE_ONLY_1] - total[tally.BASELINE_ONLY_1] == difference
