"""Processes with TensorFlow and TFX loaded, and not yet used.

A new interpreter needs seconds of computing to load them, on every start. Here a server process
(`multiprocessing`'s forkserver) loads them once, and each start is a fork of it that takes a tenth
of a second. What a test says about the start itself (the command line, what is imported or printed
meanwhile) needs a new interpreter: `subprocess`.
"""

import atexit
import ctypes
import dataclasses
import multiprocessing
import multiprocessing.util  # its own exit function, registered first, runs after ours
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "trainer_module.__main__",
        "trainer_module.rank",
        "trainer_module.loop",
        "preprocessing.stage.beam_stage",
        "components.horovod_trainer.executor",
        "pipeline.cli",
        "pipeline.runner.session",
        "pipeline.runner.local_runner",
    ]
)
_PR_SET_PDEATHSIG = 1


class Process(_CONTEXT.Process):
    """A process as `subprocess.Popen` has it."""

    def poll(self) -> int | None:
        """The exit status, minus the signal that ended it, or None while it runs."""
        return self.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the end; returns the exit status.

        Raises:
          TimeoutError: it runs longer than so many seconds.
        """
        self.join(timeout)
        if self.exitcode is None:
            raise TimeoutError(f"process {self.pid} has not ended in {timeout} s")
        return self.exitcode

    def send_signal(self, number: int) -> None:
        """Sends it a signal."""
        os.kill(self.pid, number)


@dataclasses.dataclass(frozen=True)
class Done:
    """How a process ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def start(
    function: Callable[..., int | None],
    *args: Any,
    stdout: Path | None = None,
    stderr: Path | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Process:
    """Starts a process with the environment as it is now.

    Args:
      function: what it runs, of a module; returns the exit status, as `sys.exit` takes it.
      *args: its arguments, which are pickled.
      stdout: the file that what it prints is added to.
      stderr: the same for errors; by default that of `stdout`.
      cwd: its current directory; by default this process's.
      env: more variables of the environment.
    """
    surroundings = ((stdout, stderr or stdout), cwd or Path.cwd(), {**os.environ, **(env or {})})
    process = Process(target=_run, args=(function, args, *surroundings))
    process.start()
    return process


@atexit.register
def _kill_what_is_left() -> None:
    # What a failed test has left would be waited for. Daemons would not, but may not have children.
    for process in multiprocessing.active_children():
        if isinstance(process, Process):
            process.kill()


def run(
    function: Callable[..., int | None],
    *args: Any,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 240,
) -> Done:
    """Starts a process and waits for its end."""
    with tempfile.TemporaryDirectory() as folder:
        stdout, stderr = Path(folder, "stdout"), Path(folder, "stderr")
        process = start(function, *args, stdout=stdout, stderr=stderr, cwd=cwd, env=env)
        status = process.wait(timeout)
        return Done(status, stdout.read_text("utf-8"), stderr.read_text("utf-8"))


def _run(
    function: Callable[..., int | None],
    args: tuple[Any, ...],
    files: tuple[Path | None, Path | None],
    cwd: Path,
    environment: dict[str, str],
) -> None:
    # A worker that is killed, as for a deadline, leaves nobody behind.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, path in zip((1, 2), files, strict=True):
        if path is not None:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(file, descriptor)
            os.close(file)
    sys.exit(function(*args))
