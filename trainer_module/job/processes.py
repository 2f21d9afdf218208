"""Starts and ends the processes of a training: its supervisor, and the ranks below that.

Nothing here imports TensorFlow.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

import psutil

from trainer_module.config import TrainConfig
from trainer_module.job import heartbeat, host_name, rank_env
from trainer_module.job.python_command import run_module

# Exit statuses of a training.
DONE, BAD_INPUT, FAILED = 0, 2, 3
# Exit status of a rank that an error ended which it did not foresee; starting again may help.
CRASHED = 1
# What a rank that was asked to stop writes of itself; the training's status is FAILED.
INTERRUPTED = 4
# Set for a training whose parent wants it to end with it, however the parent ends.
PARENT_VARIABLE = "EFFNET_PARENT_PID"
# Set for ranks: `host:pid` of the supervisor that started them.
SUPERVISOR_VARIABLE = "EFFNET_SUPERVISOR"
# Time that ranks get for a last checkpoint, and the supervisor for ending them.
STOP_TIMEOUT_SECS = 60.0
TERMINATE_TIMEOUT_SECS = 90.0
# Time in which other machines answer to ssh and start what `horovodrun` needs there.
HOSTS_TIMEOUT_SECS = 300
_PR_SET_PDEATHSIG = 1
# Loaded here, and not in the forked child, where little is safe.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent() -> None:
    """Makes the kernel send SIGTERM to this process when its parent ends, if the parent asked.

    Without this a killed pipeline would leave a training behind that writes into the same
    folder as the next one.
    """
    parent = os.environ.pop(PARENT_VARIABLE, None)
    if parent is None:
        return
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):  # it ended before the line above
        sys.exit(128 + signal.SIGTERM)


def is_supervised() -> bool:
    """Whether a supervisor started this process as a rank."""
    return SUPERVISOR_VARIABLE in os.environ


def end_with_supervisor() -> None:
    """Makes this rank end when what started it ends; ends it now where that is gone already.

    Below `horovodrun` the parent is a helper process of its, which ends its rank when
    `horovodrun` is gone; here it is made certain that the rank ends with that helper.
    """
    host, _, pid = os.environ[SUPERVISOR_VARIABLE].rpartition(":")
    _die_at_once_with_parent()
    if host == host_name.own() and not psutil.pid_exists(int(pid)):
        sys.exit(128 + signal.SIGKILL)


def _die_at_once_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def start_child(arguments: list[str], *, with_address: bool = False, **options) -> subprocess.Popen:
    """Starts a process that the kernel kills when this one ends, however that happens.

    It gets a session of its own: Ctrl-C reaches this process alone, which then ends the child
    in order. Call it from the main thread: the kernel looks at the thread that starts the child.

    Args:
      arguments: the command.
      with_address: whether it gets a name with an address where this machine's has none.
      options: of `Popen`.
    """
    changes_name = with_address and not host_name.has_address()

    def prepare() -> None:
        if changes_name:
            host_name.change_for_ranks()
        _die_at_once_with_parent()  # last, as the former undoes it; it is kept over exec

    own = {SUPERVISOR_VARIABLE: f"{host_name.own()}:{os.getpid()}"}
    if changes_name:
        own[host_name.VARIABLE] = host_name.own()
    return subprocess.Popen(
        arguments,
        env={**rank_env.without_launcher_variables(os.environ), **own},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=prepare,
        **options,
    )


def start_ranks(config: TrainConfig) -> subprocess.Popen:
    """Starts the ranks of a training: one process, or all under `horovodrun`."""
    rank = run_module("trainer_module.rank", config.model_dir)
    if config.num_processes == 1:
        return start_child(rank)
    folder = Path(config.model_dir, heartbeat.FOLDER)
    folder.mkdir(exist_ok=True)
    job = horovodrun(config.num_processes, rank, str(folder), config.hostfile)
    # With other machines each has to have an address anyway.
    return start_child(job, with_address=not config.hostfile)


def horovodrun(ranks: int, command: list[str], folder: str, hostfile: str = "") -> list[str]:
    """The command that runs another one as several ranks.

    Args:
      ranks: how many.
      command: what each runs; it is started in `folder`.
      folder: one without Python files. What `horovodrun` starts would take a module of that name
        for that of a library.
      hostfile: names the machines; without one the ranks run on this machine.
    """
    hosts = ["-H", f"localhost:{ranks}"]
    if hostfile:
        # Each machine first loads Horovod, perhaps from a disk that is shared by all.
        hosts = ["--hostfile", hostfile, "--start-timeout", str(HOSTS_TIMEOUT_SECS)]
    # Its cache of what it knows of other machines would lie in the home folder, which may be
    # read-only.
    options = ["-np", str(ranks), *hosts, "--gloo", "--disable-cache"]
    launcher = run_module("trainer_module.job.horovod_launcher", *options, folder=folder)
    return [*launcher, *command]


def has_ended(process: subprocess.Popen, timeout_secs: float) -> bool:
    """Whether a process has ended, or ends within some time."""
    try:
        process.wait(timeout_secs)
    except subprocess.TimeoutExpired:
        return False
    return True


class StopSignals:
    """SIGTERM (an eviction, a shutdown) or Ctrl-C asks for an end; a context manager.

    Attributes:
      count: how often an end was asked for. Who asks twice does not want to wait.
    """

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> "StopSignals":
        self._before = {
            number: signal.signal(number, self._ask) for number in (signal.SIGTERM, signal.SIGINT)
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1


def terminate(pid: int) -> None:
    """Ends a training: asks its supervisor, and ends it and all below it by force after a while."""
    try:
        root = psutil.Process(pid)
        root.terminate()
        root.wait(TERMINATE_TIMEOUT_SECS)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired:
        kill_family(root)


def kill_family(root: psutil.Process) -> None:
    """Kills a process and all below it; stopped ones too."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in [*root.children(recursive=True), root]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
