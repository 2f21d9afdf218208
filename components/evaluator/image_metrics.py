"""TFMA metric of image classification: all figures of a slice from one pass over tallies.

TFMA's own accuracy counts an image without an answer as class 0, its intervals are those of a
mean, and nothing of it compares two models image by image. So the counts are made here, exactly;
TFMA slices, combines and writes them.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import metrics_for_slice_pb2

from components.evaluator import metric_names, tally

# Extracts of an image, made by `outcomes.py`.
TALLY_EXTRACT = "tally"  # int64 [T]: of the candidate, then of the baseline, then the pairs
CELL_EXTRACT = "cell"  # int64 [2]: true and predicted class, of the candidate


class ImageClassification(tfma.metrics.Metric):
    """Accuracies, loss, calibration, exact counts and the confusion matrix of each slice.

    For each model: `top_1`, `top_5`, `loss`, `expected_calibration_error`, `example_count`,
    `unanswered` (images whose probabilities are not all finite numbers) and `tally` (int64, see
    `tally.py`); for the candidate also the plot `multi_class_confusion_matrix_plot`, and where
    there is a baseline `pairs` (int64 [4]).
    """

    def __init__(self, name: str = "image_classification"):
        """Makes the metric; TFMA calls this with the settings of the MetricConfig."""
        super().__init__(_computations, name=name)


def _computations(
    name: str = "image_classification",
    eval_config: tfma.EvalConfig | None = None,
    model_names: list[str] | None = None,
) -> list[tfma.metrics.MetricComputation]:
    del name, model_names  # all models are counted in one pass
    specs = eval_config.model_specs if eval_config else []
    names = [""] if len(specs) < 2 else [tfma.CANDIDATE_KEY, tfma.BASELINE_KEY]
    combiner = _Combiner(names)
    return [
        tfma.metrics.MetricComputation(
            keys=combiner.keys(), preprocessors=[_Preprocessor()], combiner=combiner
        )
    ]


class _Preprocessor(tfma.metrics.Preprocessor):
    """Hands on nothing but the counts."""

    def process(self, extracts: tfma.Extracts) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield extracts[TALLY_EXTRACT], extracts[CELL_EXTRACT]


class _Accumulator:
    """Sums of a slice: a vector, and images by (true class, predicted class)."""

    def __init__(self, size: int):
        self.counts = np.zeros(size, np.int64)
        self.cells: dict[tuple[int, int], int] = {}

    def add(self, counts: np.ndarray, cells: Iterable[tuple[tuple[int, int], int]]) -> None:
        self.counts += counts
        for cell, count in cells:
            self.cells[cell] = self.cells.get(cell, 0) + count


class _Combiner(beam.CombineFn):
    """Sums up; whole numbers, so that the order in which workers add does not matter."""

    def __init__(self, model_names: list[str]):
        self._names = model_names
        pairs = tally.PAIRS_SIZE if len(model_names) > 1 else 0
        self._size = tally.SIZE * len(model_names) + pairs

    def create_accumulator(self) -> _Accumulator:
        return _Accumulator(self._size)

    def add_input(self, accumulator: _Accumulator, element: Any) -> _Accumulator:
        counts, cell = element
        accumulator.add(counts, [((int(cell[0]), int(cell[1])), 1)])
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[_Accumulator]) -> _Accumulator:
        result = self.create_accumulator()
        for accumulator in accumulators:
            result.add(accumulator.counts, accumulator.cells.items())
        return result

    def extract_output(self, accumulator: _Accumulator) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        for index, name in enumerate(self._names):
            counts = accumulator.counts[index * tally.SIZE : (index + 1) * tally.SIZE]
            for metric, value in _figures(counts).items():
                result[tfma.metrics.MetricKey(metric, name)] = value
        if len(self._names) > 1:
            pairs = accumulator.counts[-tally.PAIRS_SIZE :]
            result[tfma.metrics.MetricKey(metric_names.PAIRS, self._names[0])] = pairs
        plot = tfma.metrics.PlotKey(metric_names.CONFUSION, self._names[0])
        result[plot] = _matrix(accumulator.cells)
        return result

    def keys(self) -> list[tfma.metrics.MetricKey]:
        """All keys of the output, by which TFMA tells computations apart."""
        empty = self.create_accumulator()
        empty.counts[tally.EXAMPLES :: tally.SIZE] = 1
        return list(self.extract_output(empty))


def _figures(counts: np.ndarray) -> dict[str, Any]:
    examples = int(counts[tally.EXAMPLES])
    return {
        metric_names.TOP_1: counts[tally.RIGHT_1] / examples,
        metric_names.TOP_5: counts[tally.RIGHT_5] / examples,
        metric_names.LOSS: tally.mean_loss(counts),
        metric_names.CALIBRATION_ERROR: tally.calibration_error(counts),
        metric_names.EXAMPLE_COUNT: examples,
        metric_names.UNANSWERED: examples - int(counts[tally.ANSWERED]),
        metric_names.TALLY: counts,
    }


def _matrix(
    cells: dict[tuple[int, int], int],
) -> metrics_for_slice_pb2.MultiClassConfusionMatrixAtThresholds:
    """The cells that are not empty, as TFMA's viewers read them."""
    result = metrics_for_slice_pb2.MultiClassConfusionMatrixAtThresholds()
    matrix = result.matrices.add(threshold=0.0)
    for (actual, predicted), count in sorted(cells.items()):
        matrix.entries.add(
            actual_class_id=actual, predicted_class_id=predicted, num_weighted_examples=count
        )
    return result
