import json

import pytest
from tfx.types import standard_artifacts

from components.serving_validator import executor

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
    result = _run(artifact, tmp_path, trained / "model", trained / "run")
    assert result["blessed"], result["reason"]
    assert result["images"] == len(pictures)
    assert result["max_difference"] < 1e-6
    for size in ("1", "32"):
        latency = result["latency_ms"][size]
        assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"]


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
