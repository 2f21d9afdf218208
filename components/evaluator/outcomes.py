"""TFMA extractors: from a batch of records and predictions to what is counted of each image.

What follows them sees a few numbers an image, and neither pixels nor probabilities.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow_model_analysis as tfma

from components.evaluator import tally
from components.evaluator.image_metrics import CELL_EXTRACT, TALLY_EXTRACT
from preprocessing import features

# A feature that is no key of a record: the range in which its shorter side lies.
SIZE_BUCKET = "image/size"
_SIZE_BOUNDS_PX = (32, 64, 128, 256, 512, 1024)


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


def count_outcomes(model_names: Sequence[str]) -> Any:
    """An extractor that turns a batch with labels and predictions into a tally for each image.

    Args:
      model_names: the empty name of a single model, or those of candidate and baseline.
    """
    return _extractor("CountOutcomes", beam.FlatMap(_count_batch, list(model_names)))


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
    return {tfma.INPUT_KEY: serialized, tfma.FEATURES_KEY: found}


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
        labels = _of_model(extracts[tfma.LABELS_KEY], name)
        labels = np.asarray(labels).reshape(-1).astype(np.int64)
        outputs = _of_model(extracts[tfma.PREDICTIONS_KEY], name)
        own, classes = tally.tallies(labels, np.asarray(outputs["probabilities"]))
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


def _of_model(values: Any, name: str) -> Any:
    return values[name] if name else values
