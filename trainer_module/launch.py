"""Starts a training as one process, or as the ranks of a Horovod job, and ends all of it.

Nothing here imports TensorFlow.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

import psutil

from trainer_module.config import TrainConfig
from trainer_module.flags import to_arguments

# Exit statuses of a training.
DONE, BAD_INPUT, FAILED = 0, 2, 3
# Set for a training whose parent wants it to end with it, however the parent ends.
PARENT_VARIABLE = "EFFNET_PARENT_PID"
_PR_SET_PDEATHSIG = 1
# Time that ranks get for a last checkpoint.
TERMINATE_TIMEOUT_SECS = 60.0


def command(config: TrainConfig) -> list[str]:
    """The command line of a training; the process starts the other ranks itself."""
    return [sys.executable, "-m", "trainer_module", *to_arguments(config)]


def die_with_parent() -> None:
    """Makes the kernel send SIGTERM to this process when its parent ends, if the parent asked.

    Without this a killed pipeline would leave a training behind that writes into the same
    folder as the next one.
    """
    parent = os.environ.pop(PARENT_VARIABLE, None)
    if parent is None:
        return
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):  # it ended before the line above
        sys.exit(128 + signal.SIGTERM)


def run_ranks(config: TrainConfig) -> int:
    """Runs `config.num_processes` ranks on this machine under `horovodrun`.

    Returns:
      the exit status of the job.
    """
    ranks = config.num_processes
    arguments = [
        *(sys.executable, "-m", "horovod.runner.launch"),
        *("-np", str(ranks), "-H", f"localhost:{ranks}", "--gloo"),
        *command(config),
    ]
    process = subprocess.Popen(arguments)

    def end(*_: object) -> None:
        terminate(process.pid)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    return process.wait()


def terminate(pid: int) -> None:
    """Ends a process and all that it started: the innermost first, by force after a while."""
    try:
        root = psutil.Process(pid)
        family = [*reversed(root.children(recursive=True)), root]
    except psutil.NoSuchProcess:
        return
    _signal(family, "terminate")
    _, alive = psutil.wait_procs(family, timeout=TERMINATE_TIMEOUT_SECS)
    _signal(alive, "kill")


def _signal(processes: Sequence[psutil.Process], method: str) -> None:
    for process in processes:
        try:
            getattr(process, method)()
        except psutil.NoSuchProcess:
            continue
