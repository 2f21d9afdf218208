"""Whole trainings that go on with other settings, other code or other records, or do not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from trainings import checkpoints, end, output, start_rank, train, wait_until

from preprocessing.files.code_digest import code_digest
from trainer_module import checkpoint_files
from trainer_module.config import TrainConfig

OTHER_CODE = "0" * 64


@pytest.fixture(scope="module")
def cut_off(make_tiny, tmp_path_factory) -> Path:
    """The folder of a training that was killed after its first checkpoints."""
    folder = tmp_path_factory.mktemp("cut_off") / "model"
    config = make_tiny(folder).model_copy(update={"save_checkpoint_freq": 1})
    process = start_rank(config)
    wait_until(lambda: checkpoints(config), process)
    process.kill()
    process.wait()
    return folder


@pytest.fixture
def continued(cut_off, make_tiny, tmp_path) -> Callable[..., TrainConfig]:
    """A copy of the training that was cut off, with changes of its settings."""

    def make(**changes) -> TrainConfig:
        shutil.copytree(cut_off, tmp_path / "model")
        return make_tiny(tmp_path / "model").model_copy(update=changes)

    return make


def reached(config: TrainConfig) -> int:
    """The step of the newest checkpoint."""
    return int(checkpoint_files.newest(config.model_dir).path.stem.removeprefix("step-"))


def pretend_other_code(config: TrainConfig) -> None:
    """Makes the newest checkpoint one that was made with other code."""
    path = checkpoint_files.newest(config.model_dir).path
    with np.load(path) as file:
        values = dict(file)
    made_with = str(values[checkpoint_files.MADE_WITH])
    digest = code_digest("trainer_module")
    assert digest in made_with
    values[checkpoint_files.MADE_WITH] = np.array(made_with.replace(digest, OTHER_CODE))
    np.savez(path, **values)


def test_what_does_not_change_the_weights_does_not_change_them(undisturbed, continued):
    config = continued(
        stall_timeout_secs=100.0,
        max_restarts=7,
        log_interval_secs=1.0,
        save_checkpoint_freq=3,
        max_checkpoints=1,
        eval_batch_size=7,
        eval_freq=1,
        background="#000000",
    )
    pretend_other_code(config)
    step = reached(config)
    result = train(config)
    assert result["resumed_from_step"] == step
    assert result["weights_sha256"] == undisturbed["weights_sha256"]
    # Code that changed is no reason to begin anew, and it is said which steps ran under which.
    now = code_digest("trainer_module")
    assert f"the code changed (000000000000 -> {now[:12]}) since step {step}" in output(config)
    assert result["code"] == [
        {"digest": OTHER_CODE, "first_step": 1, "last_step": step},
        {"digest": now, "first_step": step + 1, "last_step": 38},
    ]
    [undisturbed_span] = undisturbed["code"]
    assert (undisturbed_span["first_step"], undisturbed_span["last_step"]) == (1, 38)


def test_begins_anew_after_a_change_of_code_where_that_is_wanted(undisturbed, continued):
    config = continued(restart_on_code_change=True, mode="train")
    pretend_other_code(config)
    result = train(config)
    assert "the training begins anew" in output(config)
    assert result["resumed_from_step"] is None
    assert result["weights_sha256"] == undisturbed["weights_sha256"]
    assert [span["digest"] for span in result["code"]] == [code_digest("trainer_module")]


def test_goes_on_with_another_batch_and_for_longer(continued):
    config = continued(train_batch_size=32, max_epochs=6, mode="train")
    images = reached(config) * 16
    result = train(config)
    assert result["resumed_from_step"] == images // 32
    assert result["steps"] == 29  # 6 epochs of 150 images in batches of 32
    assert "train_batch_size 16 -> 32: the global batch is 32 instead of 16" in output(config)
    assert "max_epochs 4 -> 6: goes on at epoch" in output(config)
    # What is newest is a matter of images: the checkpoint that was gone on from had more steps.
    made_with = checkpoint_files.newest(config.model_dir).made_with
    assert (made_with.images, made_with.global_batch) == (29 * 32, 32)
    lines = map(json.loads, (Path(config.model_dir) / "train_log.jsonl").read_text().splitlines())
    rates = [line["lr"] for line in lines if line.get("step", 0) > 15 and "lr" in line]
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": "rmsprop", "lr_init": 0.1}, r"lr_init 0.01 -> 0.1; optimizer 'adamw' -> "),
        ({"max_epochs": 3}, "max_epochs 4 -> 3"),
        ({"data_dir": "other"}, "data_dir has other training records (150 -> 100)"),
    ],
)
def test_another_training_is_refused_and_loses_nothing(
    continued, digits_dir, tmp_path, changes, message
):
    if "data_dir" in changes:
        changes = {"data_dir": str(shutil.copytree(digits_dir, tmp_path / "other"))}
        (tmp_path / "other" / "train-00002-of-00003").unlink()
        (tmp_path / "other" / "train-00001-of-00003").rename(tmp_path / "other" / "train-1-of-2")
    config = continued(**changes)
    before = {path: path.read_bytes() for path in checkpoints(config)}
    process = start_rank(config)
    end(process, config, 2)
    assert message in output(config).splitlines()[-1]
    assert {path: path.read_bytes() for path in checkpoints(config)} == before
    assert not (tmp_path / "model" / "train_summary.json").exists()


def test_a_checkpoint_that_does_not_say_what_it_was_made_with_is_refused(continued):
    config = continued()
    path = checkpoint_files.newest(config.model_dir).path
    with np.load(path) as file:
        values = {name: file[name] for name in file.files if name != checkpoint_files.MADE_WITH}
    np.savez(path, **values)
    end(start_rank(config), config, 2)
    assert "does not say what it was made with" in output(config).splitlines()[-1]
    path.write_bytes(path.read_bytes()[:-100])
    end(start_rank(config), config, 2)
    assert "is damaged" in output(config).splitlines()[-1]
