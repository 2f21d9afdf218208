"""Trainings in processes of their own, as a person or a supervisor starts them."""

import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import fresh_process
import psutil
import pytest
import shared_folder
import yaml

from trainer_module import rank
from trainer_module.config import TrainConfig

TIMEOUT_SECS = 240

Process = subprocess.Popen | fresh_process.Process


def flags_of(config: TrainConfig) -> list[str]:
    """The flags that give `config`."""
    return [
        f"--{name}={value if isinstance(value, str) else yaml.safe_dump(value).split()[0]}"
        for name, value in config.model_dump(mode="json").items()
    ]


def output_file(config: TrainConfig) -> Path:
    """What a training prints."""
    return Path(f"{config.model_dir}.txt")


def output(config: TrainConfig) -> str:
    """What a training has printed so far."""
    return output_file(config).read_text()


def start(config: TrainConfig) -> subprocess.Popen:
    """Starts a training from the command line: a supervisor, and its ranks."""
    with output_file(config).open("a") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "trainer_module", *flags_of(config)],
            stdout=file,
            stderr=subprocess.STDOUT,
        )


def start_rank(config: TrainConfig) -> fresh_process.Process:
    """Starts a training of one rank that nobody supervises, in a tenth of the time."""
    return fresh_process.start(rank.run, config, stdout=output_file(config))


def end(process: Process, config: TrainConfig, status: int = 0) -> None:
    """Waits for a training's end, which must have this exit status."""
    assert process.wait(TIMEOUT_SECS) == status, output(config)[-3000:]


def train(config: TrainConfig) -> dict:
    """Runs a training of one rank to its end; its summary."""
    end(start_rank(config), config)
    return summary(config)


def wait_until(reached: Callable[[], bool], process: Process) -> None:
    """Waits while a process runs."""
    deadline = time.monotonic() + TIMEOUT_SECS
    while not reached():
        assert process.poll() is None, "the process has ended before"
        assert time.monotonic() < deadline
        time.sleep(0.01)


def kill_family(process: Process) -> None:
    """Kills a process and all that it has started, as a machine that goes down does."""
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    process.wait()


def checkpoints(config: TrainConfig) -> set[Path]:
    """The complete checkpoints of a training."""
    return set(Path(config.model_dir).glob("checkpoints/step-*.npz"))


def summary(config: TrainConfig) -> dict:
    """The summary of a training that has ended."""
    return json.loads((Path(config.model_dir) / "train_summary.json").read_text())


@pytest.fixture(scope="module")
def trained(make_tiny, tmp_path_factory) -> Path:
    """The folder of a whole tiny training, from the command line; a module's own copy."""

    def train_in(folder: Path) -> None:
        config = make_tiny(folder / "model")
        end(start(config), config)

    shared = shared_folder.make_once(tmp_path_factory, "trained", train_in)
    return shutil.copytree(shared / "model", tmp_path_factory.mktemp("trained") / "model")


@pytest.fixture(scope="module")
def undisturbed(trained) -> dict:
    """The summary of a training that nobody disturbed, and its folder."""
    return {**json.loads((trained / "train_summary.json").read_text()), "model_dir": trained}
