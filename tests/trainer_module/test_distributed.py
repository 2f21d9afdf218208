"""What several ranks do together, in real Horovod jobs on this machine."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import fresh_process
import numpy as np
import pytest
import steps_of_ranks
from steps_of_ranks import COMBINATIONS, TIMELINES

# One job does it all, some 60 s on two idle cores.
pytestmark = pytest.mark.timeout(600)
BYTES = {"float16": 2, "float32": 4}


@pytest.fixture(scope="module")
def job(tmp_path_factory) -> Path:
    """The folder with the results of two ranks."""
    folder = tmp_path_factory.mktemp("two ranks")
    launcher = [sys.executable, "-m", "horovod.runner.launch", "--gloo", "-np", "2"]
    done = subprocess.run(
        [*launcher, sys.executable, steps_of_ranks.__file__, str(folder)],
        capture_output=True,
        text=True,
        timeout=580,
        env={**os.environ, "HOROVOD_TIMELINE": "DYNAMIC"},
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder


def results(folder: Path, name: str, rank: int = 0) -> dict[str, Any]:
    return json.loads((folder / f"{name}.{rank}").read_text())


def one_step(folder: Path, name: str) -> dict[str, np.ndarray]:
    """What a step of the job gave, bit for bit the same on every rank."""
    first, other = (results(folder, name, rank) for rank in range(2))
    assert other == first
    return {name: np.asarray(values) for name, values in first.items()}


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> dict[str, np.ndarray]:
    """What a step of one process on the whole batch gives."""
    folder = tmp_path_factory.mktemp("one rank")
    done = fresh_process.run(steps_of_ranks.one_step, folder, "apart")
    assert done.returncode == 0, done.stderr
    return {name: np.asarray(values) for name, values in results(folder, "apart").items()}


def test_two_ranks_with_syncbn_take_the_step_of_one_with_the_whole_batch(job, alone):
    together, apart = one_step(job, "syncbn"), one_step(job, "apart")
    np.testing.assert_allclose(together["moved"], alone["moved"], atol=2e-4)
    np.testing.assert_allclose(together["metrics"], alone["metrics"], rtol=1e-3)
    assert np.abs(alone["moved"]).max() > 0.01
    assert np.abs(apart["moved"] - alone["moved"]).max() > 10 * 2e-4


def test_compressed_gradients_are_nearly_the_same(job):
    plain, compressed = one_step(job, "apart"), one_step(job, "compressed")
    np.testing.assert_allclose(compressed["moved"], plain["moved"], rtol=0.01, atol=1e-4)
    assert not np.array_equal(compressed["moved"], plain["moved"])
    # Only gradients are compressed.
    np.testing.assert_array_equal(compressed["statistics"], plain["statistics"])


def test_amp_xla_and_accumulation_work_together_on_two_ranks(job):
    first, second = (results(job, "combinations", rank) for rank in range(2))
    assert len(first) == len(COMBINATIONS)
    assert first == second
    for name, result in first.items():
        assert result["losses"][-1] < 0.9 * result["losses"][0], name


def bytes_sent(timeline: Path) -> dict[str, int]:
    """The bytes that crossed the network by dtype, as Horovod's own timeline tells it."""
    by_dtype = dict.fromkeys(BYTES, 0)
    tensors = re.findall(r'"dtype": "(\w+)", "shape": "\[([\d, ]*)\]"', timeline.read_text())
    for dtype, shape in tensors:
        sides = [int(side) for side in shape.split(",") if side.strip()]
        by_dtype[dtype] += BYTES[dtype] * math.prod(sides)
    return by_dtype


@pytest.mark.parametrize("number", range(len(TIMELINES)), ids=map(str, TIMELINES))
def test_gradients_are_sent_once_whatever_the_number_of_micro_batches(job, number):
    sizes = results(job, "sizes")
    # Loss, top-1 and the question whether to stop go along with BatchNorm's statistics.
    rest = sizes["statistics"] + 3
    _, compress = TIMELINES[number]
    sent = bytes_sent(job / f"timeline-{number}.0")
    if compress:
        assert sent == {"float16": 2 * sizes["gradients"], "float32": 4 * rest}
    else:
        assert sent == {"float16": 0, "float32": 4 * (sizes["gradients"] + rest)}
