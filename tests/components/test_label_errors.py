"""Suspected label errors against the definition in the paper, and the most confident mistakes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.evaluator import label_errors, mistakes, prediction_rows, predictions, tally


def write(path, labels, probabilities) -> str:
    """Answers of a model whose classes are `c0`, `c1`, ...; image i is `i.png`."""
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, np.float32)
    names = [f"c{i}" for i in range(probabilities.shape[1])]
    counted, _ = tally.tallies(labels, probabilities)
    answers = prediction_rows.of_answers(labels, probabilities, counted, names)
    rows = [
        [f"{i:064x}", f"{i}.png", "eval", names[label], *answer, *[None] * len(answer)]
        for i, (label, answer) in enumerate(zip(labels, answers, strict=True))
    ]
    predictions.write(str(path), rows)
    return str(path)


def confident_joint(labels, probabilities):
    """Equations 1 and 2 of the paper, word by word: (image, class j) where j is not the label.

    Without images whose label is the model's own answer, as the authors' cleanlab has it.
    """
    num_classes = probabilities.shape[1]
    thresholds = {
        j: probabilities[labels == j, j].mean() for j in range(num_classes) if (labels == j).any()
    }
    found = set()
    for image, label in enumerate(labels):
        reached = {j: probabilities[image, j] for j, t in thresholds.items()
                   if probabilities[image, j] >= t - 5e-7}  # fmt: skip
        if reached:
            j = max(reached, key=lambda j: (reached[j], -j))
            if j != label and probabilities[image].argmax() != label:
                found.add((image, j))
    return found


def suspects(found):
    return {
        (int(row["uri"].removesuffix(".png")), int(row["suggested"][1:])) for row in found.first
    }


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), num_classes=st.integers(2, 5), count=st.integers(1, 60))
def test_is_the_off_diagonal_of_the_confident_joint(tmp_path_factory, seed, num_classes, count):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, num_classes, count)
    probabilities = generator.dirichlet(np.full(num_classes, 0.5), count).round(6)
    path = write(tmp_path_factory.mktemp("rows") / "p.parquet", labels, probabilities)
    found = label_errors.find(path, limit=count)
    expected = confident_joint(labels, probabilities)
    assert suspects(found) == expected
    assert (found.images, found.suspected) == (count, len(expected))
    assert sum(found.pairs.values()) == len(expected)


@pytest.mark.parametrize("seed", range(3))
def test_five_classes_of_many_are_enough_where_the_model_knows_its_classes(tmp_path, seed):
    """30 classes, and thresholds above 1/6: a sixth class reaches none of them."""
    generator = np.random.default_rng(seed)
    true = generator.integers(0, 30, 2_000)
    logits = generator.normal(size=(2_000, 30))
    logits[np.arange(2_000), true] += 5.0
    probabilities = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).round(6)
    labels = np.where(generator.random(2_000) < 0.1, generator.integers(0, 30, 2_000), true)
    path = write(tmp_path / "p.parquet", labels, probabilities)
    assert min(label_errors.class_thresholds(path).values()) > 1 / 6
    found = label_errors.find(path, limit=2_000)
    assert suspects(found) == confident_joint(labels, probabilities)
    # It finds what was changed, and little else.
    changed = set(np.flatnonzero(labels != true))
    named = {image for image, _ in suspects(found)}
    assert len(named & changed) > 0.6 * len(changed)
    assert len(named & changed) > 0.6 * len(named)


def test_the_least_likely_labels_come_first_and_pairs_by_count(tmp_path):
    good = [[0.9, 0.1, 0.0]] * 10 + [[0.1, 0.9, 0.0]] * 10 + [[0.0, 0.1, 0.9]] * 10
    odd = [[0.05, 0.95, 0.0], [0.02, 0.98, 0.0], [0.96, 0.02, 0.02]]
    labels = [0] * 10 + [1] * 10 + [2] * 10 + [0, 0, 2]
    found = label_errors.find(write(tmp_path / "p.parquet", labels, good + odd), limit=2)
    assert (found.images, found.suspected) == (33, 3)
    assert found.pairs == {("c0", "c1"): 2, ("c2", "c0"): 1}
    assert [row["uri"] for row in found.first] == ["31.png", "32.png"]
    assert found.first[0]["class_probability"] == pytest.approx(0.02)
    assert found.first[0]["probability"] == pytest.approx(0.98)


def test_class_that_the_model_does_not_know_makes_no_label_suspected(tmp_path):
    """It never says c1, whose threshold nearly every image reaches."""
    probabilities = [[0.90, 0.04, 0.06], [0.8, 0.04, 0.16], [0.06, 0.04, 0.9], [0.1, 0.03, 0.87]]
    found = label_errors.find(write(tmp_path / "p.parquet", [0, 0, 2, 1], probabilities), 5)
    assert suspects(found) == set()


def test_images_without_an_answer_or_of_an_unknown_class_are_left_out(tmp_path):
    probabilities = [[0.9, 0.1], [np.nan, 0.1], [0.2, 0.8]]
    path = write(tmp_path / "p.parquet", [0, 0, 1], probabilities)
    assert label_errors.find(path, 5).images == 2
    none = write(tmp_path / "none.parquet", [0], [[np.nan, np.nan]])
    found = label_errors.find(none, 5)
    assert (found.images, found.suspected, found.first) == (0, 0, [])


def test_most_confident_mistakes(tmp_path):
    """Over several row groups; image i has `i / count` on the class that it takes for."""
    count = 45_000
    generator = np.random.default_rng(0)
    sure = np.arange(count) / count / 3 + 0.6
    probabilities = np.stack([1 - sure, sure], axis=1).round(6)
    labels = generator.integers(0, 2, count)
    probabilities[-1] = np.nan
    path = write(tmp_path / "p.parquet", labels, probabilities)
    rows, wrong = mistakes.most_confident(path, 5)
    expected = [i for i in range(count - 2, -1, -1) if labels[i] == 0]
    assert [row["uri"] for row in rows] == [f"{i}.png" for i in expected[:5]]
    assert (rows[0]["class"], rows[0]["predicted"]) == ("c0", "c1")
    assert wrong == int((labels[:-1] == 0).sum()) + 1
    assert mistakes.most_confident(write(tmp_path / "q.parquet", [0], [[0.9, 0.1]]), 5) == ([], 0)
