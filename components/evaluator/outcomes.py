"""TFMA extractors: from a batch of records and predictions to what is counted of each image.

What follows them sees a few numbers an image, and neither pixels nor probabilities. Beside them,
the answer for each image is written down; see `prediction_rows`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow_model_analysis as tfma

from components.evaluator import prediction_rows, tally
from components.evaluator.image_metrics import CELL_EXTRACT, TALLY_EXTRACT
from preprocessing import features

# A feature that is no key of a record: the range in which its shorter side lies.
SIZE_BUCKET = "image/size"
_SIZE_BOUNDS_PX = (32, 64, 128, 256, 512, 1024)
# A column beside the features of a record: the split that it was read from.
SPLIT_COLUMN = "split"
# What an image is known by: column of the predictions to feature of the record.
IDENTITY = {
    "sha256": features.SHA256,
    "uri": features.FILENAME,
    "split": SPLIT_COLUMN,
    "class": features.CLASS_TEXT,
}
_IDENTITY_EXTRACT = "identity"


def size_bucket(height_px: int, width_px: int) -> str:
    """Names the range of the shorter side, as in `64 to 127 px`."""
    side_px = min(height_px, width_px)
    index = int(np.searchsorted(_SIZE_BOUNDS_PX, side_px, side="right"))
    if index == 0:
        return f"below {_SIZE_BOUNDS_PX[0]} px"
    if index == len(_SIZE_BOUNDS_PX):
        return f"{_SIZE_BOUNDS_PX[-1]} px and more"
    return f"{_SIZE_BOUNDS_PX[index - 1]} to {_SIZE_BOUNDS_PX[index] - 1} px"


def read_records(slice_features: Sequence[str]) -> Any:
    """An extractor of the serialized records and of the features to slice by.

    Args:
      slice_features: record features, or SIZE_BUCKET.
    """
    return _extractor("ReadRecords", beam.Map(_read_batch, list(slice_features)))


def count_outcomes(models: Mapping[str, Sequence[str]], rows: str) -> Any:
    """An extractor that turns a batch with labels and predictions into a tally for each image.

    Args:
      models: class names by model: of the empty name of a single model, or those of candidate and
        baseline.
      rows: prefix of files that get the answer for each image.
    """
    names = {name: list(classes) for name, classes in models.items()}
    return _extractor("CountOutcomes", _CountOutcomes(names, rows))


class _CountOutcomes(beam.PTransform):
    def __init__(self, models: dict[str, list[str]], rows: str):
        super().__init__()
        self._models, self._rows = models, rows

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        _ = (
            batches
            | "Rows" >> beam.FlatMap(_rows_of_batch, self._models)
            | "WriteRows" >> beam.io.WriteToText(self._rows)
        )
        return batches | "Tallies" >> beam.FlatMap(_count_batch, list(self._models))


def _extractor(name: str, transform: beam.PTransform) -> Any:
    return tfma.extractors.Extractor(stage_name=name, ptransform=transform)


def _read_batch(extracts: tfma.Extracts, slice_features: list[str]) -> tfma.Extracts:
    batch: pa.RecordBatch = extracts[tfma.ARROW_RECORD_BATCH_KEY]
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    serialized = np.asarray(columns[tfma.ARROW_INPUT_COLUMN].flatten())
    found = {}
    for name in slice_features:
        if name == SIZE_BUCKET:
            values = _size_buckets(columns, batch.num_rows)
        else:
            values = _first_values(columns, name, batch.num_rows)
        found[name] = values
    identity = {
        column: _first_values(columns, name, batch.num_rows) for column, name in IDENTITY.items()
    }
    return {
        tfma.INPUT_KEY: serialized,
        tfma.FEATURES_KEY: found,
        _IDENTITY_EXTRACT: identity,
    }


def _first_values(columns: Mapping[str, pa.Array], name: str, count: int) -> list[Any]:
    if name not in columns or pa.types.is_null(columns[name].type):
        return [None] * count
    return [value[0] if value else None for value in columns[name].to_pylist()]


def _size_buckets(columns: Mapping[str, pa.Array], count: int) -> list[str | None]:
    sides = zip(
        _first_values(columns, features.HEIGHT, count),
        _first_values(columns, features.WIDTH, count),
        strict=True,
    )
    return [
        None if height is None or width is None else size_bucket(height, width)
        for height, width in sides
    ]


def _count_batch(extracts: tfma.Extracts, model_names: list[str]) -> Iterator[tfma.Extracts]:
    counted, predicted, true = [], [], []
    for name in model_names:
        labels, probabilities = _answers(extracts, name)
        own, classes = tally.tallies(labels, probabilities)
        counted.append(own)
        predicted.append(classes)
        true.append(labels)
    if len(model_names) > 1:
        counted.append(tally.pairs(counted[0], counted[1]))
    tallies = np.concatenate(counted, axis=1)  # [B, T]
    cells = np.stack([true[0], predicted[0]], axis=1)  # [B, 2]
    columns = extracts[tfma.FEATURES_KEY]
    for row in range(len(tallies)):
        # A feature that an image lacks puts it into no slice.
        own = {name: [values[row]] for name, values in columns.items() if values[row] is not None}
        yield {tfma.FEATURES_KEY: own, TALLY_EXTRACT: tallies[row], CELL_EXTRACT: cells[row]}


def _rows_of_batch(extracts: tfma.Extracts, models: dict[str, list[str]]) -> Iterator[str]:
    answers = []
    for name, classes in models.items():
        labels, probabilities = _answers(extracts, name)
        counted, _ = tally.tallies(labels, probabilities)
        answers.append(prediction_rows.of_answers(labels, probabilities, counted, classes))
    return prediction_rows.lines(extracts[_IDENTITY_EXTRACT], answers)


def _answers(extracts: tfma.Extracts, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Labels, int64 [B], and probabilities, float32 [B, C], of a model."""
    labels = _of_model(extracts[tfma.LABELS_KEY], name)
    outputs = _of_model(extracts[tfma.PREDICTIONS_KEY], name)
    probabilities = np.asarray(outputs["probabilities"])
    return np.asarray(labels).reshape(-1).astype(np.int64), probabilities


def _of_model(values: Any, name: str) -> Any:
    return values[name] if name else values
