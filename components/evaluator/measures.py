"""Reads what TFMA wrote, and turns counts into figures with intervals."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow_model_analysis as tfma

from components.evaluator import intervals, metric_names, paired, tally


@dataclasses.dataclass(frozen=True)
class Measures:
    """What was counted of a slice.

    Attributes:
      slice: value by feature; empty for all images.
      candidate: int64 [tally.SIZE].
      baseline: the same of the baseline, None if there is none.
      pairs: int64 [tally.PAIRS_SIZE], None if there is no baseline.
    """

    slice: Mapping[str, str]
    candidate: np.ndarray
    baseline: np.ndarray | None = None
    pairs: np.ndarray | None = None


def read(evaluation_uri: str, has_baseline: bool) -> list[Measures]:
    """Reads the counts of all slices; that of all images comes first.

    Args:
      evaluation_uri: folder of a ModelEvaluation artifact.
      has_baseline: whether a baseline was evaluated as well.

    Returns:
      One entry a slice, none if the split had no images.
    """
    candidate = tfma.CANDIDATE_KEY if has_baseline else ""
    found = []
    for entry in tfma.load_metrics(evaluation_uri):
        arrays = {
            (item.key.name, item.key.model_name): np.array(item.value.array_value.int64_values)
            for item in entry.metric_keys_and_values
            if item.value.HasField("array_value") and not item.key.is_diff
        }
        found.append(
            Measures(
                dict(_slice(entry.slice_key)),
                arrays[metric_names.TALLY, candidate],
                arrays.get((metric_names.TALLY, tfma.BASELINE_KEY)),
                arrays.get((metric_names.PAIRS, candidate)),
            )
        )
    return sorted(found, key=lambda measures: sorted(measures.slice.items()))


def confusion(evaluation_uri: str) -> list[dict[str, int]]:
    """The candidate's confusion matrix over all images, without its empty cells.

    Args:
      evaluation_uri: folder of a ModelEvaluation artifact.

    Returns:
      `{"actual": class index, "predicted": class index, "count": images}`, one entry a cell; an
      index of -1 is a class that the model does not know, or no answer.
    """
    for entry in tfma.load_plots(evaluation_uri):
        if entry.slice_key.single_slice_keys:
            continue
        for item in entry.plot_keys_and_values:
            plot = item.value.multi_class_confusion_matrix_at_thresholds
            return [
                {
                    "actual": cell.actual_class_id,
                    "predicted": cell.predicted_class_id,
                    "count": round(cell.num_weighted_examples),
                }
                for cell in plot.matrices[0].entries
            ]
    return []


def figures(counts: np.ndarray, confidence: float) -> dict[str, Any]:
    """The figures of a tally, with intervals of its accuracies.

    Args:
      counts: int64 [tally.SIZE], of at least one image.
      confidence: of the intervals, 0 to 1.

    Returns:
      `top_1`, `top_5` (0 to 1), `top_1_interval`, `top_5_interval` (lower and upper end), `loss`
      (nats), `expected_calibration_error`, `example_count`, `unanswered`.
    """
    examples = int(counts[tally.EXAMPLES])
    result: dict[str, Any] = {}
    for name, column in ((metric_names.TOP_1, tally.RIGHT_1), (metric_names.TOP_5, tally.RIGHT_5)):
        right = int(counts[column])
        result[name] = right / examples
        result[f"{name}_interval"] = list(intervals.proportion(right, examples, confidence))
    return {
        **result,
        metric_names.LOSS: tally.mean_loss(counts),
        metric_names.CALIBRATION_ERROR: tally.calibration_error(counts),
        metric_names.EXAMPLE_COUNT: examples,
        metric_names.UNANSWERED: examples - int(counts[tally.ANSWERED]),
    }


def change(measures: Measures, metric: str, confidence: float) -> paired.Change | None:
    """The change of `top_1` or `top_5`, None where there is no baseline."""
    if measures.pairs is None:
        return None
    first = tally.CANDIDATE_ONLY_1 if metric == metric_names.TOP_1 else tally.CANDIDATE_ONLY_5
    gained, lost = (int(count) for count in measures.pairs[first : first + 2])
    return paired.change(gained, lost, int(measures.candidate[tally.EXAMPLES]), confidence)


def classes(
    cells: Sequence[Mapping[str, int]], names: Sequence[str], confidence: float
) -> list[dict[str, Any]]:
    """Recall and precision of each class, the worst recall first.

    Args:
      cells: as `confusion` gives them.
      names: the class names, by index.
      confidence: of the intervals, 0 to 1.

    Returns:
      For each class `class` (its name), `images`, `recall`, `precision` and their `_interval`s
      (None where there is no image to divide by), `predicted` (how often the model said it), and
      where images were taken for another class `taken_for` (its name) and `taken_for_count`, of
      the most frequent one.
    """
    actual, predicted = np.zeros(len(names), np.int64), np.zeros(len(names), np.int64)
    right = np.zeros(len(names), np.int64)
    wrong: dict[int, tuple[int, int]] = {}
    for cell in cells:
        row, column, count = cell["actual"], cell["predicted"], cell["count"]
        if row >= 0:
            actual[row] += count
        if column >= 0:
            predicted[column] += count
        if row == column and row >= 0:
            right[row] += count
        elif row >= 0 and column >= 0:
            wrong[row] = max(wrong.get(row, (0, 0)), (count, -column))
    result = []
    for i, name in enumerate(names):
        entry = {"class": name, "images": int(actual[i]), "predicted": int(predicted[i])}
        for key, total in (("recall", int(actual[i])), ("precision", int(predicted[i]))):
            entry[key] = int(right[i]) / total if total else None
            bounds = intervals.proportion(int(right[i]), total, confidence) if total else None
            entry[f"{key}_interval"] = bounds and list(bounds)
        if i in wrong:
            count, column = wrong[i]
            entry |= {"taken_for": names[-column], "taken_for_count": count}
        result.append(entry)
    # Classes without images have no recall; they come last.
    return sorted(result, key=lambda e: (e["recall"] is None, e["recall"] or 0.0, e["class"]))


def _slice(slice_key: Any) -> Iterator[tuple[str, str]]:
    for key in slice_key.single_slice_keys:
        value = getattr(key, key.WhichOneof("kind"))
        yield key.column, value.decode("utf-8") if isinstance(value, bytes) else str(value)
