"""Runs by itself in a fresh process: `python -I probe.py SAVED_MODEL PARITY_TFRECORD`.

It imports nothing but TensorFlow and what comes with it, loads the SavedModel, feeds the files
of the records to `serving_default`, and prints one line of JSON: `images`, `max_difference`
(null where a probability is no number), `no_answers`, `wrong_labels`, `latency_ms`. Any failure
ends it with a traceback and a non-zero exit status.
"""

import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

BATCH_SIZES = (1, 32)
# Batches are timed until both bounds are reached; a large model gets the fewest only.
MIN_BATCHES, MIN_SECS, MAX_BATCHES = 5, 2.0, 50


def main(model_dir: str, parity_file: str) -> None:
    """Compares and prints.

    Args:
      model_dir: folder of the SavedModel.
      parity_file: TFRecord with `image/encoded` and `probabilities`.
    """
    images, expected = read_parity(parity_file)
    serve = tf.saved_model.load(model_dir).signatures["serving_default"]
    batch = max(BATCH_SIZES)
    outputs = [serve(image_bytes=images[i : i + batch]) for i in range(0, len(images), batch)]
    probabilities = np.concatenate([o["probabilities"].numpy() for o in outputs])  # [N, C]
    labels = [label.decode() for o in outputs for label in o["label"].numpy()]
    if probabilities.shape != expected.shape:
        raise ValueError(
            f"the model gives probabilities of shape {probabilities.shape}, "
            f"the training path {expected.shape}"
        )
    difference = float(np.max(np.abs(probabilities - expected)))
    result = {
        "images": len(images),
        # JSON has no NaN, which is what a picture that is not decoded gets.
        "max_difference": difference if np.isfinite(difference) else None,
        "no_answers": int(np.isnan(probabilities).any(axis=1).sum()),
        "wrong_labels": count_wrong_labels(model_dir, labels, probabilities),
        "latency_ms": {str(size): latency(serve, images, size) for size in BATCH_SIZES},
    }
    print(json.dumps(result))


def read_parity(path: str) -> tuple[tf.Tensor, np.ndarray]:
    """The files, string [N], and the training path's probabilities, float32 [N, C]."""
    features = {
        "image/encoded": tf.io.FixedLenFeature([], tf.string),
        "probabilities": tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True),
    }
    records = [tf.io.parse_single_example(r, features) for r in tf.data.TFRecordDataset(path)]
    if not records:
        raise ValueError(f"{path} holds no records")
    images = tf.stack([record["image/encoded"] for record in records])
    return images, np.stack([record["probabilities"].numpy() for record in records])


def count_wrong_labels(model_dir: str, labels: list[str], probabilities: np.ndarray) -> int:
    """How many `labels` differ from the model's own list at the largest probability."""
    with tf.io.gfile.GFile(os.path.join(model_dir, "assets.extra", "labels.txt")) as file:
        names = file.read().splitlines()
    return sum(
        label != names[index]
        for label, index in zip(labels, probabilities.argmax(axis=1), strict=True)
    )


def latency(serve, images: tf.Tensor, batch_size: int) -> dict[str, float]:
    """Milliseconds a batch of `batch_size` files, of which `images` are repeated as needed."""
    repeats = -(-batch_size // len(images))
    batch = tf.tile(images, [repeats])[:batch_size]
    serve(image_bytes=batch)  # traces and allocates
    secs: list[float] = []
    while len(secs) < MIN_BATCHES or (sum(secs) < MIN_SECS and len(secs) < MAX_BATCHES):
        start = time.perf_counter()
        serve(image_bytes=batch)["probabilities"].numpy()
        secs.append(time.perf_counter() - start)
    p50, p90, p99 = (float(p) for p in np.percentile(np.array(secs) * 1e3, [50, 90, 99]))
    return {"p50": p50, "p90": p90, "p99": p99, "batches": len(secs)}


if __name__ == "__main__":
    main(*sys.argv[1:])
