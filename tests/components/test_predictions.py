"""Answers for single images: what a row says, and a file of many of them."""

import hashlib
import json

import numpy as np
import pytest
import tensorflow as tf

from components.evaluator import prediction_rows, predictions, tally
from preprocessing.files import digest_table

CLASSES = [f"class {i}" for i in range(8)]


def answers(labels, probabilities, classes=CLASSES):
    labels, probabilities = np.array(labels), np.array(probabilities, np.float32)
    counted, _ = tally.tallies(labels, probabilities)
    columns = predictions.ANSWER.names
    rows = prediction_rows.of_answers(labels, probabilities, counted, classes)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def test_the_five_likeliest_are_those_of_tensorflow_in_its_order():
    generator = np.random.default_rng(0)
    # Of few values, so that many are equal.
    probabilities = generator.integers(0, 4, (300, 8)).astype(np.float32) / 8
    labels = generator.integers(0, 8, 300)
    values, indices = tf.math.top_k(probabilities, 5)
    for row, label in enumerate(labels):
        [found] = answers([label], probabilities[row : row + 1])
        best = [CLASSES[i] for i in indices[row]]
        assert found["top_classes"] == best
        assert found["top_probabilities"] == pytest.approx(values[row].numpy().tolist())
        assert (found["predicted"], found["probability"]) == (
            best[0],
            found["top_probabilities"][0],
        )
        assert found["class_probability"] == probabilities[row, label]
        assert found["correct"] == (best[0] == CLASSES[label])
        assert found["correct_top_5"] == (CLASSES[label] in best)


def test_image_without_an_answer_and_one_of_a_class_that_the_model_does_not_know():
    known = [[0.7, 0.3], [np.nan, 0.5], [0.2, 0.8]]
    right, none, unknown = answers([0, 0, tally.NO_CLASS], known, ["a", "b"])
    assert (right["predicted"], right["correct"], right["top_classes"]) == ("a", True, ["a", "b"])
    assert none == {
        "predicted": None, "probability": None, "class_probability": None, "correct": False,
        "correct_top_5": False, "top_classes": None, "top_probabilities": None,
    }  # fmt: skip
    assert (unknown["predicted"], unknown["class_probability"]) == ("b", None)
    assert (unknown["correct"], unknown["correct_top_5"]) == (False, False)


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def test_file_of_many_images_is_sorted_whatever_the_parts(tmp_path):
    """More than a row group, in parts that overlap, with copies; then images are looked up."""
    count, contents = 45_000, []
    for num_parts in (1, 7):
        folder = tmp_path / str(num_parts)
        (folder / prediction_rows.PARTS_FOLDER).mkdir(parents=True)
        order = np.random.default_rng(num_parts).permutation(count)
        for part in range(num_parts):
            own = order[part::num_parts]
            identity = {
                "sha256": [digest(i // 2).encode() for i in own],
                "uri": [f"pictures/{i}.png".encode() for i in own],
                "split": [b"eval"] * len(own),
                "class": [b"class 1"] * len(own),
            }
            answer = ["class 1", 0.5, 0.5, True, True, ["class 1"], [0.5]]
            lines = prediction_rows.lines(identity, [[answer] * len(own)])
            path = f"{prediction_rows.parts_prefix(str(folder))}-{part}"
            with open(path, "w", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in lines)
        assert prediction_rows.join_parts(str(folder)) == count
        assert [path.name for path in folder.iterdir()] == [predictions.FILE]
        contents.append((folder / predictions.FILE).read_bytes())
    assert contents[0] == contents[1]
    path = str(tmp_path / "1" / predictions.FILE)
    tables = list(predictions.read(path, ["sha256", "uri"]))
    assert len(tables) == 3
    rows = [tuple(row.values()) for table in tables for row in table.to_pylist()]
    assert rows == sorted((digest(i // 2), f"pictures/{i}.png") for i in range(count))
    found = digest_table.find(path, [digest(7), digest(22_499), digest(count)])
    assert {row["uri"] for row in found} == {f"pictures/{i}.png" for i in (14, 15, 44_998, 44_999)}
    assert {row["baseline_correct"] for row in found} == {None}


def test_names_that_are_no_text_are_kept_apart():
    identity = {name: [b"\xff", b"\xfe", None] for name in predictions.IDENTITY.names}
    values = [json.loads(line)[1] for line in prediction_rows.lines(identity, [[[]] * 3])]
    assert values == ["\\xff", "\\xfe", ""]
