"""Suspected label errors of an evaluation split: confident learning.

C. Northcutt, L. Jiang, I. Chuang, Confident Learning: Estimating Uncertainty in Dataset Labels,
Journal of Artificial Intelligence Research 70 (2021). A class's threshold is the mean probability
that the model gives it over the images that are labelled with it (equation 2). An image belongs
confidently to the likeliest of the classes whose probability reaches their own threshold (equation
1). Where that is another class than its label, it is off the diagonal of the confident joint, and
its label is suspected (the paper's method `C_{confident joint}`), unless the model's own answer is
the label: a class that the model hardly knows has so low a threshold that all images reach it. The
authors' cleanlab makes the same exception. The images must be none that the model was trained on,
as those of an evaluation split are.

Why not cleanlab itself: it needs the probabilities of all classes for all
images at once (4 GB for a million images and 1,000 classes), and pandas and scikit-learn for a few
lines of arithmetic. Here two passes over the answers keep two numbers a class. The answers have
the five likeliest classes of each image, which changes nothing where every threshold is above 1/6:
a sixth class has at most that probability. Below it, a class that is not among the five is left
out, so that fewer labels are suspected, never others.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.evaluator import predictions

_IDENTITY = ("sha256", "uri", "class", "class_probability")
_COLUMNS = (*_IDENTITY, "top_classes", "top_probabilities")


@dataclasses.dataclass(frozen=True)
class LabelErrors:
    """Images whose label is suspected.

    Attributes:
      images: of how many images the label was looked at.
      suspected: how many labels are suspected.
      pairs: the same by label and the class that is more likely, the most frequent first.
      first: some of them: `sha256`, `uri`, `class`, `class_probability`, `suggested` and
        `probability` (of that class), those first where the two probabilities differ most.
    """

    images: int
    suspected: int
    pairs: dict[tuple[str, str], int]
    first: list[dict[str, Any]]


def find(path: str, limit: int) -> LabelErrors:
    """Looks for label errors.

    Args:
      path: of the predictions.
      limit: at most so many images are named.
    """
    thresholds = class_thresholds(path)
    images, pairs, best = 0, Counter(), []
    for table in _answered(path, _COLUMNS):
        images += table.num_rows
        rows = list(_off_diagonal(table, thresholds))
        pairs.update((row["class"], row["suggested"]) for row in rows)
        best = sorted([*best, *rows], key=_least_likely_first)[:limit]
    by_count = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    return LabelErrors(images, pairs.total(), dict(by_count), best)


def class_thresholds(path: str) -> dict[str, float]:
    """The threshold of each class that has images: the mean of its own probability over them."""
    sums: dict[str, tuple[float, int]] = {}
    for table in _answered(path, ("class", "class_probability")):
        labels = table["class"].combine_chunks().dictionary_encode()
        codes = labels.indices.to_numpy()
        own = table["class_probability"].to_numpy().astype(np.float64)
        totals, counts = np.bincount(codes, own), np.bincount(codes)
        for name, total, count in zip(labels.dictionary.to_pylist(), totals, counts, strict=True):
            before, number = sums.get(name, (0.0, 0))
            sums[name] = (before + float(total), number + int(count))
    return {name: total / count for name, (total, count) in sums.items()}


def _answered(path: str, columns: tuple[str, ...]) -> Iterator[pa.Table]:
    """Images that have an answer, and a label that the model knows."""
    for table in predictions.read(path, columns):
        found = table.filter(pc.is_valid(table["class_probability"]))
        if found.num_rows:
            yield found


def _off_diagonal(table: pa.Table, thresholds: dict[str, float]) -> Iterator[dict[str, Any]]:
    """Images that belong confidently to another class than their label, with that class.

    Images whose label is the likeliest class are left out.
    """
    shape = (table.num_rows, -1)
    names = table["top_classes"].combine_chunks().flatten().dictionary_encode()
    values = names.dictionary.to_pylist()
    codes = names.indices.to_numpy().reshape(shape)  # [N, K]
    flat = table["top_probabilities"].combine_chunks().flatten()
    probabilities = flat.to_numpy().astype(np.float64).reshape(shape)  # [N, K], descending
    # A class without images has no threshold, and nothing belongs to it.
    limits = np.array([thresholds.get(name, np.inf) for name in values])
    # What is rounded alike may lie on either side of a mean of such numbers.
    confident = probabilities >= limits[codes] - 10.0**-predictions.DIGITS / 2
    first = confident.argmax(axis=1)
    is_confident = confident.any(axis=1)
    labels = table["class"].to_pylist()
    for row in np.flatnonzero(is_confident):
        suggested = values[codes[row, first[row]]]
        if labels[row] not in (suggested, values[codes[row, 0]]):
            identity = table.select(_IDENTITY).slice(row, 1).to_pylist()[0]
            probability = float(probabilities[row, first[row]])
            yield {**identity, "suggested": suggested, "probability": probability}


def _least_likely_first(row: dict[str, Any]) -> tuple[float, str, str]:
    return row["class_probability"] - row["probability"], row["sha256"], row["uri"]
