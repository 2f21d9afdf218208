"""Faults of whole trainings: real ranks that die, hang, are stopped, or have too little memory."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import psutil
import pytest
from trainings import checkpoints, end, kill_family, output, start, summary, wait_until

from preprocessing.errors import InputError
from trainer_module.config import TrainConfig
from trainer_module.job import heartbeat, memory_fit, supervisor
from trainer_module.job.heartbeat import RankReport
from trainer_module.job.watchdog import SILENCE_SECS

# Some of them wait for three starts of two ranks.
pytestmark = pytest.mark.timeout(600)

HOST = socket.gethostname()


def wait_for_step(
    process: subprocess.Popen,
    config: TrainConfig,
    step: int,
    before: list[RankReport] | None = None,
) -> list[RankReport]:
    """The ranks, once all of them have begun `step`; none of those of an earlier start."""
    earlier = {report.pid for report in before or []}

    def reached() -> bool:
        reports = heartbeat.read_all(config.model_dir)
        new = [report for report in reports if report.pid not in earlier and report.step >= step]
        return len(new) == config.num_processes

    wait_until(reached, process)
    return heartbeat.read_all(config.model_dir)


def wait_until_gone(reports: list[RankReport]) -> None:
    """Waits until no process of these ranks is left."""
    _, alive = psutil.wait_procs([p for report in reports if (p := report.process())], timeout=30)
    assert not alive


@pytest.fixture(scope="module")
def make_pair(make_tiny):
    """Trainings of two processes, long enough to be disturbed."""

    def make(model_dir: Path, **changes) -> TrainConfig:
        # What follows the steps is the same for one rank, and tested there.
        pair = {"num_processes": 2, "train_batch_size": 8, "mode": "train"}
        pair |= {"max_epochs": 12, "save_checkpoint_freq": 1, **changes}
        return make_tiny(model_dir).model_copy(update=pair)

    return make


@pytest.fixture(scope="module")
def undisturbed(make_pair, tmp_path_factory) -> dict:
    """The summary of a training of two processes that nothing happened to."""
    config = make_pair(tmp_path_factory.mktemp("undisturbed") / "model")
    end(start(config), config)
    assert not (Path(config.model_dir) / heartbeat.FOLDER).exists()
    return summary(config)


def test_killed_ranks_and_jobs_cost_the_time_since_the_checkpoint_only(
    undisturbed, make_pair, tmp_path
):
    # The ranks themselves compare their weights at the end and fail where they differ.
    config = make_pair(tmp_path / "model")
    process = start(config)
    wait_until(lambda: bool(checkpoints(config)), process)
    killed = heartbeat.read_all(config.model_dir)
    kill_family(process)

    process = start(config)
    reports = wait_for_step(process, config, 11, before=killed)
    reports[1].process().kill()
    end(process, config)
    assert re.search(
        rf"^rank 1 on {HOST} died in step \d+; starting again from the last checkpoint "
        r"\(1 of 2 restarts\)$",
        output(config),
        re.MULTILINE,
    )
    wait_until_gone(reports)
    assert summary(config)["resumed_from_step"] > 0
    assert summary(config)["weights_sha256"] == undisturbed["weights_sha256"]


def test_a_stopped_rank_is_named_and_restarts_have_an_end(make_pair, tmp_path):
    changes = {"n_stages": 1, "max_epochs": 50, "save_checkpoint_freq": 50}
    config = make_pair(tmp_path / "model", stall_timeout_secs=8.0, max_restarts=1, **changes)
    process = start(config)
    reports = wait_for_step(process, config, 2)
    os.kill(reports[0].pid, signal.SIGSTOP)
    stopped = time.monotonic()
    wait_until(lambda: "starting again" in output(config), process)
    assert time.monotonic() - stopped < SILENCE_SECS  # which holds where the settings say more
    assert re.search(rf"^rank 0 on {HOST} gives no sign of life.* step \d+;", output(config), re.M)
    wait_until_gone(reports)

    reports = wait_for_step(process, config, 2, before=reports)
    reports[1].process().kill()
    end(process, config, 3)
    assert re.fullmatch(
        rf"error: rank 1 on {HOST} died in step \d+; given up after 1 restarts",
        output(config).splitlines()[-1],
    )
    wait_until_gone(reports)


def test_stopping_writes_a_checkpoint_and_nothing_outlives_the_supervisor(make_pair, tmp_path):
    # No checkpoint is due before the end, which is far.
    changes = {"n_stages": 1, "max_epochs": 50, "save_checkpoint_freq": 50}
    config = make_pair(tmp_path / "model", **changes)
    process = start(config)
    stopped = wait_for_step(process, config, 2)
    process.send_signal(signal.SIGTERM)
    end(process, config, 3)
    assert "a checkpoint is written" in output(config)
    assert "starting again" not in output(config)
    assert len(checkpoints(config)) == 1

    process = start(config)
    reports = wait_for_step(process, config, 3, before=stopped)
    os.kill(reports[1].pid, signal.SIGSTOP)
    process.kill()
    process.wait()
    wait_until_gone(reports)


@pytest.mark.parametrize("num_processes", [1, 2])
def test_ctrl_c_before_the_first_step_prints_one_line(make_pair, tmp_path, num_processes):
    config = make_pair(tmp_path / "model", num_processes=num_processes)
    process = start(config)
    # What starts the ranks is there, and they are not.
    wait_until(lambda: bool(psutil.Process(process.pid).children()), process)
    process.send_signal(signal.SIGINT)
    end(process, config, 3)
    # Beside it there may be what TensorFlow's libraries print while a rank loads them.
    errors = [line for line in output(config).splitlines() if line.startswith("error")]
    assert errors == ["error: stopped before the first step"]
    assert "Traceback" not in output(config)


def test_wrong_input_of_ranks_is_not_tried_again(make_pair, tmp_path):
    config = make_pair(tmp_path / "model", data_dir=str(tmp_path))
    end(start(config), config, 2)
    assert "starting again" not in output(config)
    assert "labels.txt" in output(config)


def test_an_error_that_comes_back_is_not_tried_for_ever(make_tiny, tmp_path):
    changes = {"max_restarts": 5, "save_checkpoint_freq": 1, "mode": "train"}
    config = make_tiny(tmp_path / "model").model_copy(update=changes)
    (tmp_path / "model").mkdir()
    # Checkpoints cannot be written.
    (tmp_path / "model" / "checkpoints").write_text("")
    end(start(config), config, 3)
    assert output(config).count("starting again") == 1
    assert "FileExistsError" in output(config).splitlines()[-1]


def test_a_second_training_in_the_folder_is_refused(tmp_path):
    model_dir = str(tmp_path / "model")
    with (
        supervisor.lock(model_dir),
        pytest.raises(InputError, match="another training writes into"),
        supervisor.lock(model_dir),
    ):
        pass
    with supervisor.lock(model_dir) as held:
        held.write("ending")
        held.flush()
        release = threading.Timer(0.3, held.close)
        release.start()
        with supervisor.lock(model_dir) as mine:  # waits for the other's end
            assert held.closed
            assert not mine.closed
        release.join()
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match="must be a folder"),
        supervisor.lock(str(tmp_path / "file" / "model")),
    ):
        pass


def test_micro_batches_are_made_to_fit_in_memory(make_tiny, tmp_path):
    changes = {"train_batch_size": 64, "img_size": 224, "max_epochs": 2, "mode": "train"}
    changes |= {"memory_limit_mb": 1100, "raug_magnitude": 0.0, "lr_warmup_epochs": 0.0}
    config = make_tiny(tmp_path / "model").model_copy(update=changes)
    process = start(config)
    end(process, config)
    [told] = [line for line in output(config).splitlines() if "does not fit in memory" in line]
    fit = json.loads((tmp_path / "model" / memory_fit.FIT_FILE).read_text())
    steps = fit["grad_accum_steps"]
    assert 1 < steps <= 16
    assert f"grad_accum_steps is {steps} instead of 1" in told
    assert "limit: 1100 MB" in told
    log = (tmp_path / "model" / "train_log.jsonl").read_text().splitlines()
    assert json.loads(log[0])["grad_accum_steps"] == steps
    # The training that goes on takes what was found, also where memory is no longer short.
    plenty = config.model_copy(update={"memory_limit_mb": 0})
    with supervisor.StopSignals() as stop:
        assert memory_fit.fit(plenty, stop).grad_accum_steps == steps
        chosen_anew = plenty.model_copy(update={"grad_accum_steps": 2})
        assert memory_fit.fit(chosen_anew, stop).grad_accum_steps == 2


def test_what_fits_in_no_way_is_refused(make_tiny, tmp_path):
    changes = {"memory_limit_mb": 300, "train_batch_size": 2}
    config = make_tiny(tmp_path / "model").model_copy(update=changes)
    end(start(config), config, 2)
    assert output(config).startswith("error: a training step must fit in memory (limit: 300 MB)")
