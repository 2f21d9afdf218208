"""Turns warm-up requests into records that the fresh process reads with TensorFlow alone."""

import posixpath

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2
from tfx.dsl.io import fileio

from trainer_module.serving import export_files


def unpack(model: str, path: str) -> str:
    """Writes the requests of a SavedModel for the probe.

    Args:
      model: folder of the SavedModel.
      path: TFRecord to write, with the features `signature`, `input` and `values` of a request.

    Returns:
      `path`, or "" where the model has no warm-up requests.

    Raises:
      ValueError: its file of requests is none that TensorFlow Serving could read.
    """
    source = posixpath.join(model, export_files.EXTRA_FOLDER, export_files.WARM_UP_FILE)
    if not fileio.exists(source):
        return ""
    try:
        with tf.io.TFRecordWriter(path) as writer:
            for record in tf.data.TFRecordDataset(source):
                writer.write(_example(prediction_log_pb2.PredictionLog.FromString(record.numpy())))
    except (DecodeError, tf.errors.DataLossError, ValueError) as error:
        raise ValueError(f"the warm-up requests cannot be read: {type(error).__name__}") from error
    return path


def _example(log: prediction_log_pb2.PredictionLog) -> bytes:
    request = log.predict_log.request
    [(name, tensor)] = request.inputs.items()
    feature = {
        "signature": _strings([request.model_spec.signature_name.encode()]),
        "input": _strings([name.encode()]),
        "values": _strings(tf.make_ndarray(tensor).tolist()),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def _strings(values: list[bytes]) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
