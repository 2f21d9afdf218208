"""Runs by itself: `python -I probe.py SAVED_MODEL PARITY_TFRECORD [WARM_UP_TFRECORD]`.

It imports nothing but TensorFlow and what comes with it, loads the SavedModel in a fresh process,
feeds the files of the records to `serving_default`, and prints one line of JSON:

- `images`, how many were compared; `max_difference` of a probability, and `max_log_difference`
  of the logarithms of those that are not tiny (null where one is no number);
- `no_answers`, rows without probabilities; `wrong_labels`, rows whose label is not the likeliest
  class's name; `wrong_classes`, records whose class has another name or number in the model;
- `bad_rows_spare_others`, whether a file that is no picture gets no answer and disturbs no other;
- `warm_up_failures`, requests of the warm-up that were not answered, one line each;
- `latency_ms` by batch size, and `memory_mb`, the resident memory after loading and at its peak.

Any failure ends it with a traceback and a non-zero exit status.
"""

import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

BATCH_SIZES = (1, 8, 32)
# Batches are timed until both bounds are reached; a large model gets the fewest only.
MIN_BATCHES, MIN_SECS, MAX_BATCHES = 5, 2.0, 50
# Logarithms of smaller probabilities say nothing.
MIN_PROBABILITY = 1e-4
NO_PICTURE = b"this is no picture"


def main(model_dir: str, parity_file: str, warm_up_file: str = "") -> None:
    """Compares and prints.

    Args:
      model_dir: folder of the SavedModel.
      parity_file: TFRecord with `image/encoded` and `probabilities`, and perhaps the true class,
        `image/class/label` and `image/class/text`.
      warm_up_file: TFRecord with `signature`, `input` and `values`; empty for none.
    """
    records = read_parity(parity_file)
    images = tf.stack([record["image/encoded"] for record in records])
    expected = np.stack([record["probabilities"].numpy() for record in records])  # [N, C]
    signatures = tf.saved_model.load(model_dir).signatures
    loaded_mb = peak_memory_mb()
    serve = signatures["serving_default"]
    batch = max(BATCH_SIZES)
    outputs = [serve(image_bytes=images[i : i + batch]) for i in range(0, len(images), batch)]
    probabilities = np.concatenate([o["probabilities"].numpy() for o in outputs])  # [N, C]
    labels = [label.decode() for o in outputs for label in o["label"].numpy()]
    if probabilities.shape != expected.shape:
        raise ValueError(
            f"the model gives probabilities of shape {probabilities.shape}, "
            f"the training path {expected.shape}"
        )
    names = read_names(model_dir)
    likeliest = [names[index] for index in probabilities.argmax(axis=1)]
    result = {
        "images": len(images),
        **differences(probabilities, expected),
        "no_answers": int(np.isnan(probabilities).any(axis=1).sum()),
        "wrong_labels": sum(a != b for a, b in zip(labels, likeliest, strict=True)),
        "wrong_classes": count_wrong_classes(signatures, names, records),
        "bad_rows_spare_others": bad_rows_spare_others(serve, images[0], probabilities[0]),
        "warm_up_failures": warm_up_failures(signatures, warm_up_file),
        "latency_ms": {str(size): latency(serve, images, size) for size in BATCH_SIZES},
        "memory_mb": {"loaded": loaded_mb, "peak": peak_memory_mb()},
    }
    print(json.dumps(result))


def read_parity(path: str) -> list[dict[str, tf.Tensor]]:
    """The records; `record` is the record itself."""
    features = {
        "image/encoded": tf.io.FixedLenFeature([], tf.string),
        "image/class/text": tf.io.FixedLenFeature([], tf.string, default_value=""),
        "image/class/label": tf.io.FixedLenFeature([], tf.int64, default_value=-1),
        "probabilities": tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True),
    }
    records = [
        {**tf.io.parse_single_example(r, features), "record": r}
        for r in tf.data.TFRecordDataset(path)
    ]
    if not records:
        raise ValueError(f"{path} holds no records")
    return records


def read_names(model_dir: str) -> list[str]:
    """The model's own list of its classes."""
    with tf.io.gfile.GFile(os.path.join(model_dir, "assets.extra", "labels.txt")) as file:
        return file.read().splitlines()


def differences(served: np.ndarray, trained: np.ndarray) -> dict[str, float | None]:
    """The largest differences; null where a probability is no number, which JSON does not have."""
    difference = float(np.max(np.abs(served - trained)))
    if not np.isfinite(difference):
        return {"max_difference": None, "max_log_difference": None}
    counts = np.minimum(served, trained) >= MIN_PROBABILITY
    logs = np.abs(np.log(served[counts]) - np.log(trained[counts]))
    return {"max_difference": difference, "max_log_difference": float(logs.max(initial=0.0))}


def count_wrong_classes(signatures, names: list[str], records: list[dict[str, tf.Tensor]]) -> int:
    """Records whose class the model numbers or names otherwise than the training did."""
    true = [r for r in records if r["image/class/text"] != b"" and r["image/class/label"] >= 0]
    if not true:
        return 0
    serialized = tf.stack([record["record"] for record in true])
    found = signatures["eval_labels"](examples=serialized)["label_index"].numpy()
    wrong = 0
    for record, index in zip(true, found, strict=True):
        label = int(record["image/class/label"])
        name = names[label] if label < len(names) else None
        wrong += index != label or name != record["image/class/text"].numpy().decode()
    return int(wrong)


def bad_rows_spare_others(serve, image: tf.Tensor, expected: np.ndarray) -> bool:
    """Whether a batch with a file that is no picture answers the other row as it should."""
    outputs = serve(image_bytes=tf.stack([NO_PICTURE, image]))
    bad, good = outputs["probabilities"].numpy()
    labels = outputs["label"].numpy()
    same = np.allclose(good, expected, atol=1e-4, equal_nan=True)
    return bool(np.isnan(bad).all() and labels[0] == b"" and same)


def warm_up_failures(signatures, path: str) -> list[str]:
    """Replays the warm-up as a server does; what went wrong, one line a request."""
    features = {
        "signature": tf.io.FixedLenFeature([], tf.string),
        "input": tf.io.FixedLenFeature([], tf.string),
        "values": tf.io.RaggedFeature(tf.string),
    }
    failures = []
    for number, record in enumerate(tf.data.TFRecordDataset([path] if path else [])):
        request = tf.io.parse_single_example(record, features)
        name, key = (request[k].numpy().decode() for k in ("signature", "input"))
        try:
            outputs = signatures[name](**{key: request["values"]})
        except Exception as error:  # whatever the model raises is the finding
            failures.append(f"request {number}: {type(error).__name__} from signature {name!r}")
            continue
        floats = [value.numpy() for value in outputs.values() if value.dtype.is_floating]
        if not all(np.isfinite(value).all() for value in floats):
            failures.append(f"request {number}: signature {name!r} answers with no numbers")
    return failures


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


def peak_memory_mb() -> float:
    """The largest resident memory of this process so far, 10^6 bytes."""
    # getrusage would begin with the memory of the process that started this one.
    with open("/proc/self/status", encoding="ascii") as status:
        [line] = [line for line in status if line.startswith("VmHWM:")]
    return round(int(line.split()[1]) * 1024 / 1e6, 1)  # in kB, which are KiB


if __name__ == "__main__":
    main(*sys.argv[1:])
