"""The Beam pipeline of an evaluation: records through the exported models, with TFMA."""

import dataclasses
import json
import posixpath
from collections.abc import Iterable, Mapping, Sequence

import apache_beam as beam
import pyarrow as pa
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.dsl.io import fileio
from tfx.utils import io_utils
from tfx_bsl.tfxio import tf_example_record

from components.evaluator import outcomes, prediction_rows
from preprocessing import features
from preprocessing.files.class_names import parse_class_names
from preprocessing.files.plain_path import plain_path
from trainer_module import top_k
from trainer_module.serving import signatures

# Images that go through a model at once. TFX would let Beam choose up to 1,000, whose pixels and
# activations need gigabytes at 384 px; on a CPU larger batches are no faster.
BATCH_SIZE = 64
# Name that TFMA gives to what it was asked for.
_CONFIG_FILE = "eval_config.json"
_INTEGERS = (features.HEIGHT, features.WIDTH)


@dataclasses.dataclass(frozen=True)
class EvaluatedModel:
    """A model in an evaluation.

    Attributes:
      path: folder of the SavedModel.
      class_names: by index.
    """

    path: str
    class_names: tuple[str, ...]


def evaluate(
    root: beam.Pipeline,
    patterns: Mapping[str, Sequence[str]],
    models: Mapping[str, EvaluatedModel],
    eval_config: tfma.EvalConfig,
    output: str,
) -> None:
    """Adds an evaluation to a pipeline.

    Args:
      root: the pipeline; the caller runs it.
      patterns: files of records, uncompressed TFRecords, by split.
      models: by its name in `eval_config`: the empty name of a single model, or TFMA's names of
        candidate and baseline.
      eval_config: what to measure, for as many models as `models` has.
      output: folder that gets TFMA's files, and the answers for single images as parts; see
        `finish`.
    """
    shared = [
        tfma.default_eval_shared_model(
            eval_saved_model_path=model.path, model_name=name, eval_config=eval_config
        )
        for name, model in models.items()
    ]
    slice_features = _slice_features(eval_config)
    read = [_records(root, split, of, slice_features) for split, of in patterns.items()]
    _ = (
        read
        | "AllSplits" >> beam.Flatten()
        | "Evaluate"
        >> tfma.ExtractEvaluateAndWriteResults(
            eval_shared_model=shared[0] if len(shared) == 1 else shared,
            eval_config=eval_config,
            extractors=[
                outcomes.read_records(slice_features),
                tfma.extractors.TransformedFeaturesExtractor(eval_config, shared),
                tfma.extractors.LabelsExtractor(eval_config),
                tfma.extractors.PredictionsExtractor(eval_config, shared),
                outcomes.count_outcomes(
                    {name: model.class_names for name, model in models.items()},
                    prediction_rows.parts_prefix(output),
                ),
                tfma.extractors.SliceKeyExtractor(eval_config=eval_config, materialize=False),
            ],
            output_path=output,
        )
    )


def finish(output: str) -> None:
    """Lets the bytes of all files of an evaluation follow from what was measured.

    TFMA writes slices in the order in which they are ready, and where the models lay; the answers
    for single images are in as many parts as there were workers.

    Args:
      output: the folder that `evaluate` filled.
    """
    prediction_rows.join_parts(output)
    for name in fileio.listdir(output):
        path = posixpath.join(output, name)
        if not name.endswith(".tfrecord"):
            continue
        records = sorted(record.numpy() for record in tf.data.TFRecordDataset(path))
        with tf.io.TFRecordWriter(path) as writer:
            for record in records:
                writer.write(record)
    path = posixpath.join(output, _CONFIG_FILE)
    run = json.loads(io_utils.read_string_file(path))
    # The text that TFMA itself has where it knows no path.
    run["modelLocations"] = dict.fromkeys(run["modelLocations"], "<unknown>")
    io_utils.write_string_file(path, json.dumps(run, indent=2, sort_keys=True))


def class_names(model: str) -> tuple[str, ...]:
    """The class names of an exported model, by index.

    Args:
      model: folder of the SavedModel.
    """
    path = posixpath.join(model, "assets.extra", features.CLASS_NAMES_FILE)
    with fileio.open(path, "rb") as file:
        return tuple(parse_class_names(file.read(), path))


def why_unusable(model: str, records: Iterable[bytes]) -> str | None:
    """Tries a model: does it load, and answer as an evaluation needs it?

    Args:
      model: folder of the SavedModel.
      records: some serialized records.

    Returns:
      One line that says what is wrong, None if nothing is.
    """
    examples = tf.constant(list(records), tf.string)
    try:
        with plain_path(model) as plain:
            loaded = tf.saved_model.load(plain)
        answers = loaded.signatures[signatures.SERVING_EXAMPLES](examples)
        loaded.signatures[signatures.EVAL_LABELS](examples)[signatures.LABEL_INDEX].numpy()
        probabilities = answers[signatures.PROBABILITIES].numpy()
        num_classes = len(class_names(model))
    # What a damaged or foreign model raises is TensorFlow's business: file, parse, operation and
    # key errors have no common base, and each of them means the same.
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
    if probabilities.shape[1] != num_classes:
        return f"it has {num_classes} class names and {probabilities.shape[1]} probabilities"
    return None if top_k.is_answer(probabilities).all() else "its probabilities are not finite"


def _records(
    root: beam.Pipeline, split: str, patterns: Sequence[str], slice_features: Sequence[str]
) -> beam.PCollection:
    """Batches of the records of a split, with a column that names it."""
    reader = tf_example_record.TFExampleRecord(
        list(patterns),
        schema=_schema(slice_features),
        raw_record_column_name=tfma.ARROW_INPUT_COLUMN,
        telemetry_descriptors=["effnet", "Evaluator"],
    )
    batches = root | f"Read({split})" >> reader.BeamSource(batch_size=BATCH_SIZE)
    return batches | f"NameSplit({split})" >> beam.Map(_with_split, split.encode())


def _with_split(batch: pa.RecordBatch, split: bytes) -> pa.RecordBatch:
    column = pa.array([[split]] * batch.num_rows, pa.list_(pa.binary()))
    return pa.RecordBatch.from_arrays(
        [*batch.columns, column], names=[*batch.schema.names, outcomes.SPLIT_COLUMN]
    )


def _slice_features(eval_config: tfma.EvalConfig) -> list[str]:
    return sorted({key for spec in eval_config.slicing_specs for key in spec.feature_keys})


def _schema(slice_features: Sequence[str]) -> schema_pb2.Schema:
    """What is sliced by and what an image is known by; no more, so that no pixels are copied."""
    names = {*outcomes.IDENTITY.values(), *_INTEGERS, *slice_features}
    names -= {outcomes.SIZE_BUCKET, outcomes.SPLIT_COLUMN}
    schema = schema_pb2.Schema()
    for name in sorted(names):
        kind = schema_pb2.INT if name in _INTEGERS else schema_pb2.BYTES
        schema.feature.add(name=name, type=kind)
    return schema
