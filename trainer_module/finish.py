"""The end of a training: the better weights are exported, and the summary is written."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from preprocessing import features
from preprocessing.files.new_file import new_file
from trainer_module.data import eval_image
from trainer_module.data.eval_image import FileOptions
from trainer_module.data.input_pipeline import read_records
from trainer_module.evaluate import Result, make_logits
from trainer_module.network import weights_io
from trainer_module.network.model import Network
from trainer_module.network.tensor_format import ServedFormat
from trainer_module.serving import variants
from trainer_module.serving.export import ServedModel, export
from trainer_module.serving.signatures import PROBABILITIES
from trainer_module.training import Training

EXPORT_FOLDER = "export"
# The weights of the best evaluation so far.
BEST_FILE = "best.weights.h5"
# Evaluation records with the probabilities that the training path gave, for whoever checks
# that the exported model gives the same.
PARITY_FILE = "parity.tfrecord"
PARITY_RECORDS = 64

Summary = dict[str, float | int | str | list[dict[str, float]] | None]


def better(results: Mapping[str, Result]) -> str:
    """Which weights evaluated better; the raw ones where there is no difference or no result."""
    measured = [name for name, result in results.items() if result["top_1"] is not None]
    return max(measured, key=lambda name: (results[name]["top_1"], name == "raw"), default="raw")


def finish(training: Training, results: Mapping[str, Result]) -> Summary:
    """Exports, and writes the summary.

    Args:
      training: trained as far as its mode says.
      results: the evaluation by weights (`raw`, `ema`); empty where there was none.

    Returns:
      what `train_summary.json` holds.
    """
    state, config = training.state, training.config
    weights_sha256 = training.weights_sha256()  # compares the ranks before anything is exported
    chosen, result = better(results), dict(results.get(better(results), {}))
    named = training.network.named_arrays(state.weight_sets()[chosen])
    if config.early_stopping_epochs and int(state.best_step.numpy()):
        chosen, named, result = _best(training)
    if config.mode != "eval" and training.ranks.rank == 0:
        training.log.message(f"exporting the {chosen} weights")
        _export(training, named)
    step, meter = int(state.step.numpy()), training.meter
    summary = {
        "top_1": result.get("top_1"),
        "top_5": result.get("top_5"),
        "not_finite": result.get("not_finite"),
        "weights": chosen,
        "steps": step,
        "epochs": round(training.schedule.epoch_at(step), 4),
        "images_per_sec": round(meter.images / meter.secs, 2) if meter.secs else None,
        "stages": [
            {"stage": index, "img_size": size_px, "images_per_sec": round(count / secs, 2)}
            for index, (size_px, count, secs) in sorted(meter.by_stage.items())
        ],
        "skipped_steps": meter.skipped,
        "secs": round(time.monotonic() - training.started, 2),
        "weights_sha256": weights_sha256,
        "resumed_from_step": training.resumed_from_step,
        "code": training.made_with().code_history(),
    }
    training.log.summary(summary)
    return summary


def _best(training: Training) -> tuple[str, dict[str, np.ndarray], Result]:
    """The weights of the best evaluation: name, arrays by name, evaluation."""
    state, config = training.state, training.config
    named = {}
    if training.ranks.rank == 0:  # the others need not have the file, nor the weights
        named = weights_io.read(
            str(Path(config.model_dir) / BEST_FILE), training.network.architecture
        )
    result = {
        "top_1": float(state.best_top_1.numpy()),
        "top_5": float(state.best_top_5.numpy()),
        "not_finite": 0,
    }
    return f"best (step {int(state.best_step.numpy())})", named, result


def _export(training: Training, named: Mapping[str, np.ndarray]) -> None:
    network = Network(training.network.architecture, ServedFormat())
    config = training.config
    weights_io.save(Path(config.model_dir) / weights_io.WEIGHTS_FILE, named)
    tensors = {name: tf.constant(value) for name, value in named.items()}
    folded = {name: value.numpy() for name, value in network.fold(tensors, tensors).items()}
    red, green, blue = bytes.fromhex(config.background.removeprefix("#"))
    options = FileOptions((red, green, blue), config.max_side_px, config.gray16, config.max_pixels)
    model = ServedModel(network, folded, training.class_names, config.eval_img_size, options)
    export(model, Path(config.model_dir) / EXPORT_FOLDER)
    variants.write(config, training.eval_dataset, model, folded, training.log.message)
    vectors = [
        layout.join_arrays(named)
        for layout in (network.kernels, network.vectors, network.statistics)
    ]
    _write_parity(training, vectors)


def _write_parity(training: Training, weights: Sequence[np.ndarray]) -> None:
    """Records what the training path, in float32, says of some evaluation images."""
    logits = make_logits(training.network, tf.float32)
    count = min(PARITY_RECORDS, len(training.eval_index))
    [records] = read_records(training.eval_index, range(count), count)
    parsed = tf.io.parse_example(
        records,
        {
            features.ENCODED: tf.io.FixedLenFeature([], tf.string),
            features.SHA256: tf.io.FixedLenFeature([], tf.string, default_value=""),
            features.LABEL: tf.io.FixedLenFeature([], tf.int64, default_value=-1),
            features.CLASS_TEXT: tf.io.FixedLenFeature([], tf.string, default_value=""),
        },
    )
    encoded = tf.unstack(parsed[features.ENCODED])  # tensors: decoding takes no plain bytes
    size_px = training.config.eval_img_size
    batch = tf.stack([eval_image.eval_image(image, size_px) for image in encoded])
    probabilities = tf.nn.softmax(logits(batch, *map(tf.constant, weights))).numpy()
    path = Path(training.config.model_dir) / PARITY_FILE
    with new_file(path) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
        for index, row in enumerate(probabilities):
            feature = {
                name: _bytes(parsed[name][index].numpy())
                for name in (features.ENCODED, features.SHA256, features.CLASS_TEXT)
            }
            label = int(parsed[features.LABEL][index]) - training.config.label_offset
            feature[features.LABEL] = tf.train.Feature(int64_list=tf.train.Int64List(value=[label]))
            feature[PROBABILITIES] = tf.train.Feature(float_list=tf.train.FloatList(value=row))
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializePartialToString(deterministic=True))


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
