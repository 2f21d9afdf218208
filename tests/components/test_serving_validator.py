import json
import mmap
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tiny_export
from picture_files import FORMATS, picture_file
from tensorflow_serving.apis import prediction_log_pb2
from tfx.types import standard_artifacts

from components.horovod_trainer import warm_up
from components.serving_validator import executor
from trainer_module.serving import export_files

CLASSES = ["ant", "bee", "cat"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory, pictures, write_model, write_records, right_answers):
    """A model, and what its training left: folders `model` and `run`."""
    folder = tmp_path_factory.mktemp("trained")
    answers = right_answers(pictures, len(CLASSES))
    write_model(folder / "model" / "Format-Serving", answers, CLASSES)
    rows = [(picture, CLASSES[i % 3]) for i, picture in enumerate(pictures)]
    write_records(
        folder / "run" / "parity.tfrecord", rows, probabilities=[answers[p] for p in pictures]
    )
    return folder


def _run(artifact, tmp_path, model, model_run, tolerance=1e-3):
    blessing = artifact(standard_artifacts.InfraBlessing, tmp_path / "blessing")
    executor.Executor().Do(
        {
            "model": [artifact(standard_artifacts.Model, model)],
            "model_run": [artifact(standard_artifacts.ModelRun, model_run)],
        },
        {"blessing": [blessing]},
        {"parity_tolerance": tolerance},
    )
    result = json.loads((tmp_path / "blessing" / "serving_check.json").read_text())
    assert blessing.get_int_custom_property("blessed") == int(result["blessed"])
    marker = "INFRA_BLESSED" if result["blessed"] else "INFRA_NOT_BLESSED"
    assert (tmp_path / "blessing" / marker).exists()
    return result


def test_same_answers_are_blessed_with_latencies(artifact, tmp_path, trained, pictures):
    # Memory of this process, which is none of the fresh one's.
    mine = mmap.mmap(-1, 2 * 10**9, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE)
    result = _run(artifact, tmp_path, trained / "model", trained / "run")
    assert result["blessed"], result["reason"]
    assert result["images"] == len(pictures)
    assert result["max_difference"] < 1e-6
    for size in ("1", "8", "32"):
        latency = result["latency_ms"][size]
        assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"]
    # TensorFlow alone takes more than this, and the pictures are tiny.
    assert 100 < result["memory_mb"]["loaded"] <= result["memory_mb"]["peak"] < len(mine) / 1e6


def test_other_probabilities_are_not_blessed(
    artifact, tmp_path, trained, pictures, write_model, right_answers
):
    answers = right_answers(pictures, len(CLASSES))
    answers[pictures[7]] = [
        v + d for v, d in zip(answers[pictures[7]], (0.05, -0.05, 0), strict=True)
    ]
    write_model(tmp_path / "model" / "Format-Serving", answers, CLASSES)
    result = _run(artifact, tmp_path, tmp_path / "model", trained / "run")
    assert not result["blessed"]
    assert result["max_difference"] == pytest.approx(0.05, abs=1e-3)
    assert "allowed 0.001" in result["reason"]


def test_swapped_labels_are_not_blessed(
    artifact, tmp_path, trained, pictures, write_model, right_answers
):
    folder = tmp_path / "model" / "Format-Serving"
    write_model(folder, right_answers(pictures, len(CLASSES)), ["bee", "ant", "cat"])
    (folder / "assets.extra" / "labels.txt").write_text("ant\nbee\ncat\n")
    result = _run(artifact, tmp_path, tmp_path / "model", trained / "run")
    assert not result["blessed"]
    assert "labels are not the likeliest class's name" in result["reason"]


def test_a_picture_that_does_not_decode_is_not_blessed(
    artifact, tmp_path, trained, pictures, write_model, right_answers
):
    answers = right_answers(pictures[:-1], len(CLASSES))
    write_model(tmp_path / "model" / "Format-Serving", answers, CLASSES)
    result = _run(artifact, tmp_path, tmp_path / "model", trained / "run")
    assert not result["blessed"]
    assert result["reason"] == f"1 of {len(pictures)} pictures got no probabilities"


def test_corrupted_saved_model_is_not_blessed(artifact, tmp_path, trained):
    folder = tmp_path / "model" / "Format-Serving"
    folder.mkdir(parents=True)
    graph = (trained / "model" / "Format-Serving" / "saved_model.pb").read_bytes()
    (folder / "saved_model.pb").write_bytes(graph[: len(graph) // 2])
    result = _run(artifact, tmp_path, tmp_path / "model", trained / "run")
    assert not result["blessed"]
    assert "does not serve" in result["reason"]
    assert "\n" not in result["reason"]


def test_missing_saved_model_is_not_blessed(artifact, tmp_path, trained):
    result = _run(artifact, tmp_path, tmp_path / "nothing", trained / "run")
    assert not result["blessed"]
    assert "no SavedModel" in result["reason"]


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    """A real export with its warm-up, and the records of its training: `model` and `run`."""
    folder = tmp_path_factory.mktemp("exported")
    model = tiny_export.write(folder / "model" / "Format-Serving")
    warm_up.write(model)
    files = [picture_file(name) for name in sorted(FORMATS)]
    serve = tf.saved_model.load(str(model)).signatures["serving_default"]
    probabilities = serve(tf.constant(files))["probabilities"].numpy()
    (folder / "run").mkdir()
    with tf.io.TFRecordWriter(str(folder / "run" / "parity.tfrecord")) as writer:
        for index, (file, row) in enumerate(zip(files, probabilities, strict=True)):
            label = index % len(tiny_export.CLASSES)
            writer.write(_record(file, label, tiny_export.CLASSES[label], row))
    return folder


def _record(encoded: bytes, label: int, name: str, probabilities: np.ndarray) -> bytes:
    example = tf.train.Example()
    feature = example.features.feature
    feature["image/encoded"].bytes_list.value.append(encoded)
    feature["image/class/label"].int64_list.value.append(label)
    feature["image/class/text"].bytes_list.value.append(name.encode())
    feature["probabilities"].float_list.value.extend(probabilities)
    return example.SerializeToString()


def test_a_real_export_and_its_warm_up_are_blessed(artifact, tmp_path, exported):
    shutil.copytree(exported / "run", tmp_path / "run")
    measured = [{"name": "bfloat16", "top_1_change": -0.02}]
    (tmp_path / "run" / "extra_exports").mkdir()
    (tmp_path / "run" / "extra_exports" / "extra_exports.json").write_text(json.dumps(measured))
    result = _run(artifact, tmp_path, exported / "model", tmp_path / "run")
    assert result["blessed"], result["reason"]
    assert result["extra_exports"] == measured
    assert result["max_log_difference"] < 1e-3


def test_a_model_whose_classes_are_swapped_throughout_is_not_blessed(artifact, tmp_path, exported):
    # Labels, their list and the model agree with each other, but not with the records.
    swapped = (tiny_export.CLASSES[1], tiny_export.CLASSES[0], *tiny_export.CLASSES[2:])
    tiny_export.write(tmp_path / "model" / "Format-Serving", swapped)
    result = _run(artifact, tmp_path, tmp_path / "model", exported / "run")
    assert not result["blessed"]
    wrong = sum(index % 6 < 2 for index in range(len(FORMATS)))
    assert result["reason"] == (
        f"{wrong} of {len(FORMATS)} pictures have a class that the model names otherwise"
    )


def _flip_a_bit(path: Path, seed: int) -> None:
    data = bytearray(path.read_bytes())
    place = random.Random(seed).randrange(8 * len(data))
    data[place // 8] ^= 1 << place % 8
    path.write_bytes(data)


CORRUPTIONS = {
    "truncated": lambda m: (m / "saved_model.pb").write_bytes(
        (m / "saved_model.pb").read_bytes()[:-1000]
    ),
    "no variables": lambda m: shutil.rmtree(m / "variables"),
    "no class names": lambda m: (m / "assets.extra" / "labels.txt").unlink(),
    "a bit of the graph": lambda m: _flip_a_bit(m / "saved_model.pb", 1),
    "another bit of the graph": lambda m: _flip_a_bit(m / "saved_model.pb", 2),
    "a bit of the weights": lambda m: _flip_a_bit(
        m / "variables" / "variables.data-00000-of-00001", 3
    ),
    "a bit of the warm-up": lambda m: _flip_a_bit(
        m / "assets.extra" / "tf_serving_warmup_requests", 4
    ),
    "one file more": lambda m: (m / "assets.extra" / "other").write_text("x"),
}


@pytest.mark.parametrize("corruption", sorted(CORRUPTIONS))
def test_changed_files_are_not_blessed(artifact, tmp_path, exported, corruption):
    shutil.copytree(exported / "model", tmp_path / "model")
    CORRUPTIONS[corruption](tmp_path / "model" / "Format-Serving")
    result = _run(artifact, tmp_path, tmp_path / "model", exported / "run")
    assert not result["blessed"]
    assert result["reason"].startswith("the SavedModel is damaged: ")


def test_a_warm_up_that_is_not_answered_is_not_blessed(artifact, tmp_path, exported):
    shutil.copytree(exported / "model", tmp_path / "model")
    model = tmp_path / "model" / "Format-Serving"
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.model_spec.signature_name = "serving_default"
    log.predict_log.request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto([b"no picture"]))
    file = model / "assets.extra" / "tf_serving_warmup_requests"
    with tf.io.TFRecordWriter(str(file)) as writer:
        writer.write(log.SerializeToString())
    export_files.write_checksums(model)
    result = _run(artifact, tmp_path, tmp_path / "model", exported / "run")
    assert not result["blessed"]
    assert result["reason"].startswith("warm-up request 0: signature 'serving_default'")
