"""Whole trainings of one rank: results, kills, modes."""

import json
import os
import random
import shutil
import signal
from pathlib import Path

import h5py
import numpy as np
import pytest
import tensorflow as tf
from trainings import checkpoints, end, output, start_rank, train, wait_until

from trainer_module.config import TrainConfig

# Some of them wait for three trainings.
pytestmark = pytest.mark.timeout(600)


def last_step(config: TrainConfig) -> int:
    """The newest step that the log of a training tells of."""
    path = Path(config.model_dir) / "train_log.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return max(
        (json.loads(line).get("step", 0) for line in lines if line.endswith("\n")), default=0
    )


def test_leaves_what_the_contract_names(undisturbed):
    folder = undisturbed["model_dir"]
    names = {path.name for path in folder.iterdir()}
    assert {"checkpoints", "export", "train_log.jsonl", "parity.tfrecord"} <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    assert undisturbed["steps"] == 38  # 4 epochs of 150 images in batches of 16
    assert undisturbed["resumed_from_step"] is None
    assert len(undisturbed["weights_sha256"]) == 64
    lines = [json.loads(line) for line in (folder / "train_log.jsonl").read_text().splitlines()]
    sizes = [line["img_size"] for line in lines if "img_size" in line]
    assert sizes == sorted(sizes)
    assert {16, 24} == set(sizes)
    assert [stage["img_size"] for stage in undisturbed["stages"]] == [16, 24]
    assert all(stage["images_per_sec"] > 0 for stage in undisturbed["stages"])
    evaluated = [line for line in lines if "eval_top_1" in line]
    assert {line["weights"] for line in evaluated} == {"raw", "ema"}
    assert all(line["eval_examples"] == 50 for line in evaluated)
    assert undisturbed["top_1"] == max(
        line["eval_top_1"] for line in evaluated if line["step"] == 38
    )


def test_the_export_gives_what_the_training_path_gave(undisturbed):
    folder = undisturbed["model_dir"]
    model = tf.saved_model.load(str(folder / "export"))
    parsed = [
        tf.train.Example.FromString(record.numpy()).features.feature
        for record in tf.data.TFRecordDataset(str(folder / "parity.tfrecord"))
    ]
    assert len(parsed) == 50
    encoded = [feature["image/encoded"].bytes_list.value[0] for feature in parsed]
    expected = [feature["probabilities"].float_list.value for feature in parsed]
    result = model.signatures["serving_default"](tf.constant(encoded))
    np.testing.assert_allclose(result["probabilities"], expected, atol=1e-4)
    likeliest = [str(row.argmax()).encode() for row in np.asarray(expected)]
    assert list(result["label"].numpy()) == likeliest
    assert list(result["top_k_labels"][:, 0].numpy()) == likeliest
    np.testing.assert_allclose(
        result["top_k_probabilities"][:, 0], np.max(expected, axis=-1), atol=1e-4
    )


def test_a_row_that_cannot_be_decoded_spares_the_others(undisturbed):
    model = tf.saved_model.load(str(undisturbed["model_dir"] / "export"))
    record = next(iter(tf.data.TFRecordDataset(str(undisturbed["model_dir"] / "parity.tfrecord"))))
    feature = tf.train.Example.FromString(record.numpy()).features.feature
    good = feature["image/encoded"].bytes_list.value[0]
    call = model.signatures["serving_default"]
    alone = call(tf.constant([good]))
    mixed = call(tf.constant([b"", good, b"no picture", good[:40]]))
    assert np.isnan(mixed["probabilities"].numpy()).all(axis=1).tolist() == [
        True,
        False,
        True,
        True,
    ]
    assert [bool(label) for label in mixed["label"].numpy()] == [False, True, False, False]
    np.testing.assert_allclose(mixed["probabilities"][1], alone["probabilities"][0], atol=1e-6)
    nothing = call(tf.constant([b"x"]))
    assert np.isnan(nothing["probabilities"].numpy()).all()


def test_equal_seeds_give_equal_weights_and_others_do_not(undisturbed, make_tiny, tmp_path):
    # Without the evaluations between the steps, which change nothing.
    equal = make_tiny(tmp_path / "a").model_copy(update={"mode": "train"})
    assert train(equal)["weights_sha256"] == undisturbed["weights_sha256"]
    other = make_tiny(tmp_path / "b").model_copy(update={"mode": "train", "seed": 1})
    assert train(other)["weights_sha256"] != undisturbed["weights_sha256"]


def test_a_killed_training_ends_with_the_same_weights(undisturbed, make_tiny, tmp_path):
    # Killed when a checkpoint has just appeared, and in a step of the second stage.
    config = make_tiny(tmp_path / "model").model_copy(
        update={"mode": "train", "save_checkpoint_freq": 1}
    )
    late = random.Random(os.environ.get("KILL_SEED", "0")).randint(20, 34)
    for reached in (lambda: checkpoints(config), lambda: last_step(config) >= late):
        process = start_rank(config)
        wait_until(reached, process)
        process.kill()
        end(process, config, -signal.SIGKILL)
    summary = train(config)
    assert summary["weights_sha256"] == undisturbed["weights_sha256"]
    assert summary["resumed_from_step"] > 0


def test_a_finished_training_is_not_trained_again(undisturbed, make_tiny):
    again = train(make_tiny(undisturbed["model_dir"]))
    assert again["resumed_from_step"] == again["steps"] == undisturbed["steps"]
    assert again["weights_sha256"] == undisturbed["weights_sha256"]
    assert again["top_1"] == undisturbed["top_1"]


def test_sigterm_writes_a_checkpoint_first(undisturbed, make_tiny, tmp_path):
    config = make_tiny(tmp_path / "model").model_copy(update={"save_checkpoint_freq": 4})
    process = start_rank(config)
    wait_until(lambda: last_step(config) > 0, process)
    process.send_signal(signal.SIGTERM)
    end(process, config, 3)
    assert "a checkpoint is written" in output(config)
    summary = train(config)
    assert summary["resumed_from_step"] > 0
    assert summary["weights_sha256"] == undisturbed["weights_sha256"]


def test_stops_early_and_exports_the_best_weights(make_tiny, tmp_path):
    # The learning rate does nothing useful, so top-1 does not rise for long.
    changes = {"max_epochs": 12, "early_stopping_epochs": 2, "eval_freq": 1, "lr_init": 1e-7}
    config = make_tiny(tmp_path / "model").model_copy(update=changes)
    summary = train(config)
    assert summary["epochs"] < 8
    log = (Path(config.model_dir) / "train_log.jsonl").read_text().splitlines()
    lines = [json.loads(line) for line in log]
    evaluated = [line for line in lines if "eval_top_1" in line]
    best = max(line["eval_top_1"] for line in evaluated)
    first = next(line for line in evaluated if line["eval_top_1"] == best)
    assert (summary["top_1"], summary["top_5"]) == (best, first["eval_top_5"])
    assert summary["weights"] == f"best (step {first['step']})"
    # The log is for reading: what a training knows does not depend on it.
    (Path(config.model_dir) / "train_log.jsonl").write_text("no JSON\n")
    again = train(config)
    assert all(again[key] == summary[key] for key in ("steps", "top_1", "top_5", "weights"))


def test_xla_compiles_once_a_stage(make_tiny, tmp_path, monkeypatch):
    dump = tmp_path / "xla"
    monkeypatch.setenv("XLA_FLAGS", f"--xla_dump_to={dump} --xla_dump_hlo_as_text")
    config = make_tiny(tmp_path / "model").model_copy(update={"use_xla": True, "mode": "train"})
    assert train(config)["steps"] == 38
    modules = {path.name.split(".")[1] for path in dump.glob("*.before_optimizations.txt")}
    compiled = [path.name for path in dump.glob("*local_step*.before_optimizations.txt")]
    assert len(compiled) == config.n_stages, modules
    assert len(list(dump.glob("*_apply_*.before_optimizations.txt"))) == 1, modules


def run_mode(config: TrainConfig) -> Path:
    end(start_rank(config), config)
    return Path(config.model_dir)


def test_predicts_the_evaluation_split(undisturbed, make_tiny):
    config = make_tiny(undisturbed["model_dir"]).model_copy(update={"mode": "predict"})
    lines = (run_mode(config) / "predictions.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) == 50
    assert all(len(row["sha256"]) == 64 for row in rows)
    right = np.mean([row["label"] == row["predicted"] for row in rows])
    log = (undisturbed["model_dir"] / "train_log.jsonl").read_text().splitlines()
    raw = [line for line in map(json.loads, log) if line.get("weights") == "raw"]
    assert right == pytest.approx(raw[-1]["eval_top_1"])


@pytest.mark.parametrize("mode", ["training_benchmark", "inference_benchmark"])
def test_measures_speed_and_leaves_no_checkpoint(make_tiny, tmp_path, mode):
    changes = {"mode": mode, "benchmark_steps": 4}
    config = make_tiny(tmp_path / "model").model_copy(update=changes)
    result = json.loads((run_mode(config) / "benchmark.json").read_text())
    measured = result["stages"] if mode == "training_benchmark" else [result]
    assert [stage["img_size"] for stage in measured] == (
        [16, 24] if mode == "training_benchmark" else [24]
    )
    assert all(stage["images_per_sec"] > 0 for stage in measured)
    assert not checkpoints(config)


def test_starts_from_the_weights_of_an_earlier_training(undisturbed, make_tiny, tmp_path):
    changes = {"init_weights": str(undisturbed["model_dir"] / "model.weights.h5"), "mode": "eval"}
    config = make_tiny(tmp_path / "model").model_copy(update=changes)
    # Evaluated before any step, they are as good as they were.
    assert train(config)["top_1"] == undisturbed["top_1"]


def test_weights_that_are_no_numbers_have_no_result(undisturbed, make_tiny, tmp_path):
    weights = shutil.copy(undisturbed["model_dir"] / "model.weights.h5", tmp_path)
    with h5py.File(weights, "r+") as file:
        found = []
        file.visititems(lambda _, item: found.append(item) if hasattr(item, "shape") else None)
        found[0][...] = np.nan
    changes = {"init_weights": str(weights), "mode": "eval"}
    config = make_tiny(tmp_path / "model").model_copy(update=changes)
    end(start_rank(config), config)
    assert "no result: the logits of 50 of 50 images are not finite numbers" in output(config)
    summary = json.loads((tmp_path / "model" / "train_summary.json").read_text())
    assert (summary["top_1"], summary["top_5"], summary["not_finite"]) == (None, None, 50)
    log = (tmp_path / "model" / "train_log.jsonl").read_text().splitlines()
    [line] = [line for line in map(json.loads, log) if line.get("weights") == "raw"]
    assert (line["eval_top_1"], line["eval_loss"], line["eval_not_finite"]) == (None, None, 50)


def test_a_checkpoint_of_another_network_is_refused(undisturbed, make_tiny):
    config = make_tiny(undisturbed["model_dir"]).model_copy(update={"width_coefficient": 0.3})
    end(start_rank(config), config, 2)
    assert "does not fit these settings" in output(config).splitlines()[-1]
