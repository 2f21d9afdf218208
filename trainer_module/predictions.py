"""What a trained network says of each evaluation record."""

import json
from pathlib import Path

import tensorflow as tf

from preprocessing import features
from preprocessing.files.new_file import new_file
from trainer_module.data import eval_image
from trainer_module.data.input_pipeline import read_records
from trainer_module.evaluate import make_logits
from trainer_module.train_step import compute_dtype
from trainer_module.training import Training

PREDICTIONS_FILE = "predictions.jsonl"
_FEATURES = {
    features.ENCODED: tf.io.FixedLenFeature([], tf.string),
    features.LABEL: tf.io.FixedLenFeature([], tf.int64, default_value=-1),
    features.FILENAME: tf.io.FixedLenFeature([], tf.string, default_value=""),
    features.SHA256: tf.io.FixedLenFeature([], tf.string, default_value=""),
}


def predict(training: Training) -> int:
    """Writes `predictions.jsonl`: one line per evaluation record, in their order; by rank 0.

    A line is `{"filename", "sha256", "label", "predicted", "probability"}`; `label` and
    `predicted` are class names.

    Args:
      training: its weights are used as they are.

    Returns:
      number of lines; 0 on other ranks than the first.
    """
    if training.ranks.rank != 0:
        return 0
    config, names = training.config, training.class_names
    weights = [variable.read_value() for variable in training.state.model_variables()]
    logits = tf.function(make_logits(training.network, compute_dtype(config)), autograph=False)
    path = Path(config.model_dir) / PREDICTIONS_FILE
    lines = 0
    everything = range(len(training.eval_index))
    with new_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for records in read_records(training.eval_index, everything, config.eval_batch_size):
            parsed = tf.io.parse_example(records, _FEATURES)
            batch = tf.map_fn(
                lambda encoded: eval_image.eval_image(encoded, config.eval_img_size),
                parsed[features.ENCODED],
                fn_output_signature=tf.uint8,
            )
            probabilities = tf.nn.softmax(logits(batch, *weights)).numpy()
            for row, filename, sha256, label in zip(
                probabilities,
                parsed[features.FILENAME].numpy(),
                parsed[features.SHA256].numpy(),
                parsed[features.LABEL].numpy() - config.label_offset,
                strict=True,
            ):
                line = {
                    "filename": filename.decode("utf-8", "replace"),
                    "sha256": sha256.decode("ascii", "replace"),
                    "label": names[label] if 0 <= label < len(names) else None,
                    "predicted": names[int(row.argmax())],
                    "probability": round(float(row.max()), 6),
                }
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
                lines += 1
    training.log.message(f"{lines} predictions in {path}")
    return lines
