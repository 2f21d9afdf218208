"""From a batch of answers to rows of `predictions.parquet`, and from all rows to the file.

Workers write their rows as lines of JSON, in any order and in any number of files. One process
then sorts them with little memory, so that the file's bytes do not depend on the workers.
"""

import json
import posixpath
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from tfx.dsl.io import fileio

from components.evaluator import predictions, tally
from preprocessing.files.external_sort import sorted_rows
from trainer_module import top_k

PARTS_FOLDER = "prediction_parts"
_PREFIX = "part"
_ANSWER_FIELDS = len(predictions.ANSWER)


def parts_prefix(output: str) -> str:
    """What the files that the workers write begin with, in the folder of an evaluation."""
    return posixpath.join(output, PARTS_FOLDER, _PREFIX)


def of_answers(
    labels: np.ndarray,
    probabilities: np.ndarray,
    tallies: np.ndarray,
    class_names: Sequence[str],
) -> list[list[Any]]:
    """The columns of a model's answers, `predictions.ANSWER`, image by image.

    Args:
      labels: int64 [B], the labelled class, `tally.NO_CLASS` where the model does not have it.
      probabilities: float32 [B, C], 0 to 1.
      tallies: int64 [B, tally.SIZE], what was counted of the same images.
      class_names: of the model, C of them.

    Returns:
      For each image its values in the order of the columns, which JSON can hold.
    """
    answered = tallies[:, tally.ANSWERED] == 1
    # In the order of `trainer_module.top_k`: of equal probabilities the lower index comes first.
    order = np.argsort(-np.where(answered[:, None], probabilities, 0.0), axis=1, kind="stable")
    rows = []
    for row, label in enumerate(labels):
        right = [bool(tallies[row, column]) for column in (tally.RIGHT_1, tally.RIGHT_5)]
        if not answered[row]:
            rows.append([None, None, None, *right, None, None])
            continue
        best = order[row, : top_k.TOP_K]
        names = [class_names[index] for index in best]
        values = [_rounded(probabilities[row, index]) for index in best]
        known = 0 <= label < len(class_names)
        own = _rounded(probabilities[row, label]) if known else None
        rows.append([names[0], values[0], own, *right, names, values])
    return rows


def lines(
    identity: Mapping[str, Sequence[bytes | None]], answers: Sequence[Sequence[list[Any]]]
) -> Iterator[str]:
    """The rows of a batch as lines of JSON.

    Args:
      identity: by column of `predictions.IDENTITY` a value an image; None where the record has
        none.
      answers: of the candidate, and of the baseline if there is one, as `of_answers` gives them.
    """
    columns = [[_text(value) for value in identity[name]] for name in predictions.IDENTITY.names]
    for row, who in enumerate(zip(*columns, strict=True)):
        values = [value for of_model in answers for value in of_model[row]]
        missing = len(predictions.SCHEMA) - len(who) - len(values)
        yield json.dumps([*who, *values, *[None] * missing])


def join_parts(output: str) -> int:
    """Makes `predictions.parquet` of what the workers wrote, which is used up.

    Args:
      output: folder of the evaluation.

    Returns:
      The number of images.
    """
    folder = posixpath.join(output, PARTS_FOLDER)
    with tempfile.TemporaryDirectory(prefix="effnet-") as scratch:
        ordered = sorted_rows(map(_sortable, _read(folder)), scratch)
        made = posixpath.join(scratch, predictions.FILE)
        count = predictions.write(made, (json.loads(row[-1]) for row in ordered))
        # pyarrow cannot write into a file of TensorFlow's file systems.
        fileio.copy(made, posixpath.join(output, predictions.FILE))
    fileio.rmtree(folder)
    return count


def _sortable(line: str) -> tuple[str, ...]:
    """What the rows are sorted by; equal ones are copies, whose order does not matter."""
    return (*json.loads(line)[: len(predictions.IDENTITY)], line)


def _read(folder: str) -> Iterator[str]:
    for name in sorted(fileio.listdir(folder)):
        with fileio.open(posixpath.join(folder, name), "r") as file:
            yield from file


def _rounded(probability: np.float32) -> float:
    return round(float(probability), predictions.DIGITS)


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="backslashreplace")
