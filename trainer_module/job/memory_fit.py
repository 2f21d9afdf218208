"""Finds micro-batches that fit in memory before a training starts.

A step at the largest image size is tried in a process of its own (`memory_probe.py`), since what
runs out of memory may be killed for it. What was found is kept in `model_dir`: the size of
micro-batches changes BatchNorm's statistics, so a training that goes on must not find another.

Nothing here imports TensorFlow.
"""

import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from preprocessing.errors import InputError
from preprocessing.files import disk_full
from preprocessing.files.new_file import write_text
from trainer_module.config import TrainConfig
from trainer_module.job import processes, rank_config, train_log
from trainer_module.job.python_command import run_module
from trainer_module.stages import stage_schedule

FIT_FILE = "memory_fit.json"
# Exit status of the probe when memory was not enough.
TOO_LARGE = 4
# How a process ends that the kernel, or a failed allocation in C++, ended.
_ENDED_BY_MEMORY = tuple(
    -number
    for number in (signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL)
)
_POLL_SECS = 0.2
_TRAINING_MODES = ("train", "train_and_eval", "training_benchmark")


class Interrupted(Exception):
    """A stop was asked for while a step was tried."""


def fit(config: TrainConfig, stop: processes.StopSignals) -> TrainConfig:
    """The settings with the `grad_accum_steps` that fits; the global batch stays what it is.

    Args:
      config: the settings as they were given.
      stop: asked between two looks at the probe.

    Raises:
      InputError: one image at a time does not fit either, or the data cannot be used.
      Interrupted: see there.
    """
    path = Path(config.model_dir) / FIT_FILE
    asked = {"train_batch_size": config.train_batch_size, "asked": config.grad_accum_steps}
    if path.exists():
        found = json.loads(path.read_text())
        if {key: found[key] for key in asked} == asked:
            return config.model_copy(update={"grad_accum_steps": found["grad_accum_steps"]})
        return config  # the person has chosen anew
    begun = any(Path(config.model_dir).glob("checkpoints/step-*"))
    if config.mode not in _TRAINING_MODES or begun or not _is_wanted(config):
        return config
    for steps in _possible_steps(config):
        tried = config.model_copy(update={"grad_accum_steps": steps})
        if _fits(tried, stop):
            _keep(path, {**asked, "grad_accum_steps": steps})
            if steps != config.grad_accum_steps:
                _log_smaller(config, steps)
            return tried
    raise InputError(
        f"a training step must fit in memory{_limit(config)}. Received: img_size "
        f"{largest_size_px(config)}, which does not fit with one image at a time; use a smaller "
        f"img_size or arch{' or a higher limit' if config.memory_limit_mb else ''}"
    )


def largest_size_px(config: TrainConfig) -> int:
    """The largest image side of all stages."""
    return max(stage.img_size for stage in stage_schedule(config))


def _is_wanted(config: TrainConfig) -> bool:
    if config.hostfile:
        return False  # this machine is none of those that train
    if config.preflight == "auto":
        # On a CPU there is swap, and tracing a large network once more costs half a minute.
        return bool(config.memory_limit_mb) or _has_gpu()
    return config.preflight == "always"


def _has_gpu() -> bool:
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/kfd").exists()


def _possible_steps(config: TrainConfig) -> list[int]:
    """The `grad_accum_steps` that can be tried: divisors of the batch, from the given one."""
    batch = config.train_batch_size
    return [n for n in range(config.grad_accum_steps, batch + 1) if batch % n == 0]


def _fits(config: TrainConfig, stop: processes.StopSignals) -> bool:
    """Whether a step fits; also true where the probe failed in a way that tells nothing."""
    rank_config.write(config)
    with disk_full.naming(tempfile.gettempdir()), tempfile.TemporaryFile("w+") as output:
        process = processes.start_child(
            run_module("trainer_module.memory_probe", config.model_dir),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        status = _wait(process, stop)
        output.seek(0)
        last = (output.read().strip().splitlines() or [""])[-1]
    if status == processes.BAD_INPUT:
        raise InputError(last.removeprefix("error: "))
    if status not in (0, TOO_LARGE, *_ENDED_BY_MEMORY):
        text = f"whether a step fits in memory could not be found out: {last}"
        train_log.append(config.model_dir, {train_log.MESSAGE: text})
        return True
    return status == 0


def _wait(process: subprocess.Popen, stop: processes.StopSignals) -> int:
    """The exit status of the probe, which is killed where a stop is asked for."""
    while not processes.has_ended(process, _POLL_SECS):
        if stop.count:
            process.kill()
            process.wait()
            raise Interrupted
    return process.returncode


def _keep(path: Path, values: dict[str, Any]) -> None:
    write_text(path, json.dumps(values) + "\n")


def _log_smaller(config: TrainConfig, steps: int) -> None:
    batch, before = config.train_batch_size, config.grad_accum_steps
    text = (
        f"a step with micro-batches of {batch // before} images at {largest_size_px(config)} px "
        f"does not fit in memory{_limit(config)}: grad_accum_steps is {steps} instead of {before}, "
        f"micro-batches have {batch // steps} images, and the batch keeps its {batch}"
    )
    train_log.append(config.model_dir, {train_log.MESSAGE: text, "grad_accum_steps": steps})


def _limit(config: TrainConfig) -> str:
    return f" (limit: {config.memory_limit_mb} MB)" if config.memory_limit_mb else ""
