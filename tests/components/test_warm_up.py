"""The warm-up requests are ones that the model answers."""

import hashlib

import numpy as np
import tensorflow as tf
import tiny_export
from tensorflow_serving.apis import prediction_log_pb2

from components.horovod_trainer import warm_up


def test_the_loaded_model_answers_every_request(tmp_path):
    model = tiny_export.write(tmp_path / "model")
    warm_up.write(model)
    file = model / "assets.extra" / "tf_serving_warmup_requests"
    signatures = tf.saved_model.load(str(model)).signatures
    asked = []
    for record in tf.data.TFRecordDataset(str(file)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        answer = signatures[request.model_spec.signature_name](
            **{name: tf.constant(value) for name, value in inputs.items()}
        )
        rows = {len(value) for value in inputs.values()}
        assert {len(value) for value in answer.values()} == rows
        for value in answer.values():
            if value.dtype.is_floating:
                assert np.isfinite(value.numpy()).all()
        asked.append((request.model_spec.signature_name, *rows))
    names = {"serving_default", "serving_examples", "embedding"}
    assert set(asked) == {(name, size) for name in names for size in (1, 8)}
    sums = (model / "assets.extra" / "sha256sums.txt").read_text()
    assert hashlib.sha256(file.read_bytes()).hexdigest() in sums
