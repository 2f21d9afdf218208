"""Warm-up requests, which TensorFlow Serving replays before it says that a version is ready.

The first answer of a loaded model prepares its graph and takes seconds. With these requests the
server pays for that, and not the first person who asks.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from preprocessing import features
from trainer_module.serving import export_files, signatures

# Each signature with each number of rows: TensorFlow prepares some operations by batch size.
BATCH_SIZES = (1, 8)
_HEIGHT_PX, _WIDTH_PX = 192, 256


def write(folder: Path) -> None:
    """Adds `assets.extra/tf_serving_warmup_requests` to a SavedModel, and renews its checksums.

    Args:
      folder: a SavedModel with the signatures of trainer_module/serving/export.py.
    """
    path = folder / export_files.EXTRA_FOLDER / export_files.WARM_UP_FILE
    with tf.io.TFRecordWriter(str(path)) as writer:
        for log in requests():
            writer.write(log.SerializeToString())
    export_files.write_checksums(folder)


def requests() -> Iterator[prediction_log_pb2.PredictionLog]:
    """The requests, on made-up pictures: nobody's photographs go out with a model."""
    files = _pictures()
    examples = [_example(file) for file in files]
    for name, input_name, values in (
        (signatures.SERVING_DEFAULT, signatures.IMAGE_BYTES, files),
        (signatures.EMBEDDING, signatures.IMAGE_BYTES, files),
        (signatures.SERVING_EXAMPLES, signatures.EXAMPLES, examples),
    ):
        for size in BATCH_SIZES:
            rows = [values[row % len(values)] for row in range(size)]
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.signature_name = name
            request.inputs[input_name].CopyFrom(tf.make_tensor_proto(rows, tf.string, [size]))
            yield log


def _pictures() -> list[bytes]:
    """A JPEG and a PNG of colour gradients."""
    rows, columns = np.mgrid[0:_HEIGHT_PX, 0:_WIDTH_PX]
    pixels = np.stack([rows, columns, (rows + columns) // 2], -1).astype(np.uint8)
    return [tf.io.encode_jpeg(pixels).numpy(), tf.io.encode_png(pixels).numpy()]


def _example(encoded: bytes) -> bytes:
    value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded]))
    example = tf.train.Example(features=tf.train.Features(feature={features.ENCODED: value}))
    return example.SerializeToString()
