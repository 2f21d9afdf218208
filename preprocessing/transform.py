"""The TensorFlow Transform part: class names, and the graph that maps them to labels.

It analyses the index, which is small; no picture is read for it.

Which classes there are: those of all splits together. The names are those of the corpus'
folders, so nothing is learnt from the evaluation split by counting them, and a class that has
images only there keeps a valid label (the model will be wrong on it, which is what happened).
Their order is that of the sorted names: a label stays what it is when frequencies change.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_metadata.proto.v0 import schema_pb2

from preprocessing import features
from preprocessing.errors import InputError
from preprocessing.files import saved_model
from preprocessing.files.plain_path import plain_path
from preprocessing.ingest import ingest

# Label of a name that is no class.
UNKNOWN_LABEL = -1


class _SortedNames(tft_beam.experimental.PTransformAnalyzer):
    """Analyzer: the distinct strings of a feature, sorted, as the path of a text file."""

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        return (
            batches
            | "Flatten" >> beam.FlatMap(_names_of_batch)
            | "Distinct" >> beam.Distinct()
            | "ToList" >> beam.combiners.ToList()
            | "Write" >> beam.Map(_write_names, self.base_temp_dir)
        )


def preprocessing_fn(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """The transform graph.

    Args:
      inputs: `image/class/text`: string [B].

    Returns:
      `image/class/label`: int64 [B], 0 to classes - 1, or -1 where the text is no class.
    """
    text = inputs[features.CLASS_TEXT]
    # tft.vocabulary would order by frequency.
    (path,) = tft.experimental.ptransform_analyzer(
        inputs=[text],
        ptransform=_SortedNames(),
        output_dtypes=[tf.string],
        output_shapes=[[]],
        # Stands in while the graph is traced; a lookup table cannot be made from nothing.
        output_asset_default_values=[b"none\n"],
        name="class_names",
    )
    tft.annotate_asset(features.CLASS_VOCABULARY, features.CLASS_VOCABULARY)
    label = tft.apply_vocabulary(text, path, default_value=UNKNOWN_LABEL)
    return {features.LABEL: label}


def write_transform_graph(
    index_files: list[str],
    output: str,
    *,
    make_pipeline: Callable[[], beam.Pipeline],
    temp_dir: str,
    schema: schema_pb2.Schema | None = None,
) -> list[str]:
    """Analyses the index of a dataset and writes the transform graph.

    Args:
      index_files: as `ingest.index_files` gives them.
      output: folder for the graph, which `tft.TFTransformOutput` loads.
      make_pipeline: makes the Beam pipeline that does the work. Workers see the same files.
      temp_dir: folder for what TensorFlow Transform needs in between.
      schema: of the source records; what it says of the class text goes into the graph's
        metadata.

    Returns:
      The class names; the label of a name is its position.

    Raises:
      InputError: there are fewer than two classes.
    """
    metadata = tft.DatasetMetadata(class_schema(schema))
    with (
        plain_path(temp_dir) as plain_temp_dir,
        plain_path(output) as plain_output,
        make_pipeline() as pipeline,
        tft_beam.Context(temp_dir=plain_temp_dir),
    ):
        rows = (
            pipeline
            | "Index" >> beam.Create(index_files)
            | "ReadClasses" >> beam.FlatMap(_distinct_rows)
        )
        transform_fn = (rows, metadata) | tft_beam.AnalyzeDataset(preprocessing_fn)
        _ = transform_fn | tft_beam.WriteTransformFn(plain_output)
        raw_metadata = os.path.join(plain_output, tft.TFTransformOutput.RAW_METADATA_DIR)
        _ = metadata | tft_beam.WriteMetadata(raw_metadata, pipeline)
    saved_model.make_canonical(Path(output, tft.TFTransformOutput.TRANSFORM_FN_DIR))
    names = read_class_names(output)
    if len(names) < 2:
        raise InputError(
            f"a classifier needs at least two classes. Received: {', '.join(names) or 'none'}"
        )
    return names


def read_class_names(transform_graph: str) -> list[str]:
    """The class names of a transform graph, in the order of their labels."""
    with plain_path(transform_graph) as plain:
        path = tft.TFTransformOutput(plain).vocabulary_file_by_name(features.CLASS_VOCABULARY)
        with open(path, encoding="utf-8") as lines:
            return lines.read().splitlines()


def class_schema(schema: schema_pb2.Schema | None) -> schema_pb2.Schema:
    """The schema of what the graph takes: the class text alone, one in each record.

    The feature contract decides its shape; its domain is what `schema` says, if given.

    Raises:
      ValueError: `schema` has no class text of type BYTES.
    """
    result = schema_pb2.Schema()
    feature = result.feature.add(name=features.CLASS_TEXT, type=schema_pb2.BYTES)
    if schema is not None:
        known = {candidate.name: candidate for candidate in schema.feature}
        source = known.get(features.CLASS_TEXT)
        if source is None or source.type != schema_pb2.BYTES:
            raise ValueError(
                f"the schema must have the feature {features.CLASS_TEXT!r} of type BYTES. "
                f"Received: the features {sorted(known)}"
            )
        feature.CopyFrom(source)
        result.string_domain.extend(d for d in schema.string_domain if d.name == feature.domain)
    feature.shape.Clear()  # set, and empty: a scalar
    feature.shape.SetInParent()
    feature.presence.min_fraction = 1.0
    feature.presence.min_count = 1
    return result


def _distinct_rows(index_file: str) -> Iterator[dict[str, Any]]:
    # An image whose class is not known has an empty one, and is no example of a class.
    names = {entry["class"] for entry in ingest.read_index(index_file)} - {""}
    for name in sorted(names):
        yield {features.CLASS_TEXT: name.encode()}


def _names_of_batch(batch: tuple[np.ndarray]) -> list[bytes]:
    (names,) = batch
    return np.unique(names).tolist()


def _write_names(names: list[bytes], folder: str) -> np.ndarray:
    tf.io.gfile.makedirs(folder)
    path = os.path.join(folder, features.CLASS_VOCABULARY)
    with tf.io.gfile.GFile(path, "wb") as file:
        # Code point order and byte order are the same in UTF-8.
        file.write(b"".join(name + b"\n" for name in sorted(names)))
    return np.array(path, dtype=object)
