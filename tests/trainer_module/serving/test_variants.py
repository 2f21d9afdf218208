"""Float16, bfloat16 and TF-Lite variants of a real training's export."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import trainings


@pytest.fixture(scope="module")
def trained(make_tiny, tmp_path_factory) -> Path:
    """The folder of a short training that was asked for all of them."""
    model_dir = tmp_path_factory.mktemp("extra") / "model"
    changes = {"max_epochs": 2, "export_precision": "bfloat16", "export_tflite": True}
    config = make_tiny(model_dir).model_copy(update=changes)
    trainings.train(config)
    return model_dir


@pytest.fixture(scope="module")
def parity(trained) -> list:
    records = tf.data.TFRecordDataset(str(trained / "parity.tfrecord"))
    return [tf.train.Example.FromString(r.numpy()).features.feature for r in records]


def test_each_variant_is_measured(trained, parity):
    entries = json.loads((trained / "extra_exports" / "extra_exports.json").read_text())
    assert [entry["name"] for entry in entries] == ["bfloat16", "tflite"]
    expected = np.array([feature["probabilities"].float_list.value for feature in parity])
    labels = np.array([feature["image/class/label"].int64_list.value[0] for feature in parity])
    exact_top_1 = float((expected.argmax(axis=1) == labels).mean())
    for entry in entries:
        assert entry["images"] == len(parity) == 50
        assert entry["parity"] == (entry["max_difference"] <= entry["tolerance"])
        assert entry["top_1"] - entry["top_1_change"] == pytest.approx(exact_top_1)
        assert entry["bytes"] > 0
    assert entries[1]["parity"]  # TF-Lite computes in float32
    assert entries[0]["max_difference"] > entries[1]["max_difference"]


def test_the_reduced_model_answers_as_it_was_measured(trained, parity):
    entries = json.loads((trained / "extra_exports" / "extra_exports.json").read_text())
    files = [feature["image/encoded"].bytes_list.value[0] for feature in parity]
    expected = np.array([feature["probabilities"].float_list.value for feature in parity])
    model = tf.saved_model.load(str(trained / entries[0]["path"]))
    received = model.signatures["serving_default"](tf.constant(files))["probabilities"]
    difference = float(np.abs(received - expected).max())
    assert difference == pytest.approx(entries[0]["max_difference"], abs=1e-3)
    described = json.loads(
        (trained / entries[0]["path"] / "assets.extra" / "model.json").read_text()
    )
    assert described["precision"] == "bfloat16"


def test_the_tflite_model_takes_pixels(trained):
    interpreter = tf.lite.Interpreter(model_path=str(trained / "extra_exports" / "model.tflite"))
    interpreter.allocate_tensors()
    [source] = interpreter.get_input_details()
    assert source["shape"].tolist() == [1, 24, 24, 3]
    assert source["dtype"] == np.uint8
    interpreter.set_tensor(source["index"], np.full([1, 24, 24, 3], 99, np.uint8))
    interpreter.invoke()
    [sink] = interpreter.get_output_details()
    assert interpreter.get_tensor(sink["index"]).sum() == pytest.approx(1.0, abs=1e-4)
