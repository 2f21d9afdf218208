"""The end of a training: the better weights are exported, and the summary is written."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from preprocessing import features
from trainer_module import images, weights_io
from trainer_module.evaluate import make_logits
from trainer_module.export import PROBABILITIES, ServedModel, export
from trainer_module.input_pipeline import read_records

if TYPE_CHECKING:
    from trainer_module.loop import Training

EXPORT_FOLDER = "export"
# Evaluation records with the probabilities that the training path gave, for whoever checks
# that the exported model gives the same.
PARITY_FILE = "parity.tfrecord"
PARITY_RECORDS = 64


def finish(
    training: "Training", results: dict[str, dict[str, float]]
) -> dict[str, float | int | str | None]:
    """Exports, and writes the summary.

    Args:
      training: trained as far as its mode says.
      results: the evaluation by weights (`raw`, `ema`); empty where there was none.

    Returns:
      what `train_summary.json` holds.
    """
    best = max(results, key=lambda name: (results[name]["top_1"], name), default="raw")
    sha256 = training.weights_sha256()  # compares the ranks before anything is exported
    exported = training.config.mode != "eval"
    if exported and training.ranks.rank == 0:
        training.log.say(f"exporting the {best} weights")
        _export(training, best)
    result = results.get(best, {})
    summary = {
        "top_1": result.get("top_1"),
        "top_5": result.get("top_5"),
        "weights": best,
        "steps": int(training.state.step.numpy()),
        "epochs": round(training.schedule.epoch_at(int(training.state.step.numpy())), 4),
        "images_per_sec": (
            round(training.images_trained / training.train_secs, 2) if training.train_secs else None
        ),
        "secs": round(time.monotonic() - training.started, 2),
        "weights_sha256": sha256,
        "resumed_from_step": training.resumed_from_step,
    }
    training.log.summary(summary)
    return summary


def _export(training: "Training", best: str) -> None:
    state, network, config = training.state, training.network, training.config
    kernels, vectors, statistics = (
        variable.numpy()
        for variable in (state.averages if best == "ema" else state.model_variables())
    )
    weights = {
        **network.kernels.split_array(kernels),
        **network.vectors.split_array(vectors),
        **network.statistics.split_array(statistics),
    }
    weights_io.save(Path(config.model_dir) / weights_io.WEIGHTS_FILE, weights)
    tensors = {name: tf.constant(value) for name, value in weights.items()}
    folded = network.fold(tensors, tensors)
    model = ServedModel(
        network,
        {name: value.numpy() for name, value in folded.items()},
        training.class_names,
        config.eval_img_size,
    )
    export(model, training.class_names, Path(config.model_dir) / EXPORT_FOLDER)
    _write_parity(training, (kernels, vectors, statistics))


def _write_parity(training: "Training", weights: tuple[np.ndarray, ...]) -> None:
    """Records what the training path, in float32, says of some evaluation images."""
    logits = make_logits(training.network, tf.float32)
    count = min(PARITY_RECORDS, len(training.eval_index))
    [records] = read_records(training.eval_index, range(count), count)
    parsed = tf.io.parse_example(
        records,
        {
            features.ENCODED: tf.io.FixedLenFeature([], tf.string),
            features.SHA256: tf.io.FixedLenFeature([], tf.string, default_value=""),
        },
    )
    encoded = parsed[features.ENCODED].numpy()
    size_px = training.config.eval_img_size
    batch = tf.stack([images.eval_image(image, size_px) for image in encoded])
    probabilities = tf.nn.softmax(logits(batch, *map(tf.constant, weights))).numpy()
    path = Path(training.config.model_dir) / PARITY_FILE
    partial = path.with_suffix(".partial")
    with tf.io.TFRecordWriter(str(partial)) as writer:
        for image, sha256, row in zip(
            encoded, parsed[features.SHA256].numpy(), probabilities, strict=True
        ):
            feature = {
                features.ENCODED: tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
                features.SHA256: tf.train.Feature(bytes_list=tf.train.BytesList(value=[sha256])),
                PROBABILITIES: tf.train.Feature(float_list=tf.train.FloatList(value=row)),
            }
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())
    partial.replace(path)
