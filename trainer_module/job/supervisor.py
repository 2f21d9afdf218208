"""The supervisor of a training: starts the ranks, watches them, starts them again.

A rank that died, crashed or hangs ends the whole job, and the ranks are started again from the
last checkpoint. Wrong input, and what a training itself cannot go on from, is not tried again.
Horovod's own stall shutdown is left off: it sees only a collective operation that some ranks
wait in, so neither a stopped coordinator nor a job that waits for data as a whole, and it takes
a rank that waits in start-up, evaluation or export for a hang.

The supervisor needs no TensorFlow, so that it survives whatever happens to the ranks.
"""

import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import psutil

from preprocessing.errors import InputError
from preprocessing.files import disk_full, locks
from preprocessing.files.disk_full import DiskFullError
from trainer_module.config import TrainConfig
from trainer_module.job import heartbeat, memory_fit, processes, rank_config, train_log
from trainer_module.job.display import Display
from trainer_module.job.processes import BAD_INPUT, DONE, FAILED, StopSignals
from trainer_module.job.watchdog import Fault, Outcome, Watch

LOCK_FILE = ".lock"
# What the holder of the lock writes into it once it was asked to end.
_ENDING = "ending"
POLL_SECS = 0.25
# Time in which ranks that got SIGKILL, and what started them, are gone.
KILL_TIMEOUT_SECS = 15.0


def run(config: TrainConfig) -> int:
    """Runs a training to its end, with restarts; returns the exit status.

    Raises:
      InputError: another training writes into `model_dir`, or no step fits in memory.
    """
    try:
        return _run(config)
    except DiskFullError as error:
        return _print_error(str(error), FAILED)


def _run(config: TrainConfig) -> int:
    model_dir = Path(config.model_dir)
    is_new = not model_dir.exists()
    with lock(config.model_dir) as lock_file, StopSignals() as stop:
        _end_leftovers(config.model_dir)
        earlier = rank_config.text(config.model_dir)
        try:
            status = _Supervisor(config, stop, lock_file).run()
        except memory_fit.Interrupted:
            status = _print_error("stopped before the first step", FAILED)
        except InputError:
            _leave_no_trace(model_dir, is_new, earlier)
            raise
        if status == BAD_INPUT:
            _leave_no_trace(model_dir, is_new, earlier)
    if status == DONE:
        shutil.rmtree(model_dir / heartbeat.FOLDER, ignore_errors=True)
    return status


def _leave_no_trace(model_dir: Path, is_new: bool, earlier: str | None) -> None:
    """Removes the folder of a training that was refused before it began, if it made it."""
    if is_new:
        shutil.rmtree(model_dir, ignore_errors=True)
    else:
        rank_config.put_back(str(model_dir), earlier)


@contextlib.contextmanager
def lock(model_dir: str) -> Iterator[TextIO]:
    """Holds the lock of a training's folder, which ends with the process that holds it.

    Waits where the holder is about to end: a training whose pipeline was killed still writes
    its checkpoint when the next one starts.

    Raises:
      InputError: another training holds it, or the folder cannot be written.
      DiskFullError: there is no space for it.
    """
    path = Path(model_dir) / LOCK_FILE
    try:
        with disk_full.naming(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a+")
    except DiskFullError:
        raise
    except OSError as error:
        raise InputError(f"model_dir must be a folder that can be written: {error}") from None
    with file:
        deadline = time.monotonic() + processes.TERMINATE_TIMEOUT_SECS
        while not locks.lock(file):
            if path.read_text() != _ENDING or time.monotonic() > deadline:
                raise InputError(
                    f"another training writes into model_dir {model_dir!r}; wait for its end, or "
                    "use another model_dir"
                )
            time.sleep(POLL_SECS)
        file.truncate(0)
        yield file


def _end_leftovers(model_dir: str) -> None:
    """Kills ranks whose supervisor was killed and that have not noticed yet."""
    found = [report.process() for report in heartbeat.read_all(model_dir) if report.status is None]
    leftovers = [process for process in found if process]
    for process in leftovers:
        processes.kill_family(process)
    psutil.wait_procs(leftovers, timeout=KILL_TIMEOUT_SECS)


class _Supervisor:
    """One training under supervision."""

    def __init__(self, config: TrainConfig, stop: StopSignals, lock_file: TextIO):
        self._config, self._stop, self._lock_file = config, stop, lock_file
        self._log, self._display = train_log.Follower(config.model_dir), Display()
        self._stop_deadline: float | None = None

    def run(self) -> int:
        """Starts the ranks until the training is done, or starting again does not help.

        Raises:
          InputError: no step fits in memory, or the data cannot be used.
          memory_fit.Interrupted: a stop was asked for before there were ranks.
        """
        self._config = memory_fit.fit(self._config, self._stop)
        self._show_log()
        rank_config.write(self._config)
        last = None
        for restarts in range(self._config.max_restarts + 1):
            ended = self._attempt()
            if isinstance(ended, Outcome):
                return _print_error(ended.error, ended.status) if ended.error else ended.status
            if self._stop.count:
                reports = heartbeat.read_all(self._config.model_dir)
                if not any(report.step for report in reports):
                    return _print_error("stopped before the first step", FAILED)
                return _print_error(f"stopped; {ended.text}", FAILED)
            # The same error in the same step is no accident.
            if not ended.retryable or (ended == last and ended.by_error):
                return _print_error(ended.text, FAILED)
            if restarts == self._config.max_restarts:
                break
            last = ended
            print(
                f"{ended.text}; starting again from the last checkpoint "
                f"({restarts + 1} of {self._config.max_restarts} restarts)",
                file=sys.stderr,
                flush=True,
            )
        text = f"{ended.text}; given up after {self._config.max_restarts} restarts"
        return _print_error(text, FAILED)

    def _attempt(self) -> Outcome | Fault:
        """Starts the ranks once; returns how the training ended, or what ended it."""
        model_dir = self._config.model_dir
        shutil.rmtree(Path(model_dir) / heartbeat.FOLDER, ignore_errors=True)
        job = processes.start_ranks(self._config)
        watch = Watch(model_dir, self._config.stall_timeout_secs)
        ended_since = None
        try:
            while not processes.has_ended(job, POLL_SECS):
                self._show_log()
                fault = watch.look() or self._stop_ranks(job)
                if fault:
                    return fault
                reports = heartbeat.read_all(model_dir)
                if not reports or any(report.status is None for report in reports):
                    ended_since = None
                    continue
                # All have ended; a process that hangs in its exit must not hold up the rest.
                ended_since = ended_since or time.monotonic()
                if time.monotonic() - ended_since > processes.STOP_TIMEOUT_SECS:
                    return watch.outcome(0)
            return watch.outcome(job.returncode)
        finally:
            self._kill(job)
            self._show_log()
            self._display.close()

    def _show_log(self) -> None:
        for entry in self._log.read_new():
            self._display.show(entry)

    def _stop_ranks(self, job: subprocess.Popen) -> Fault | None:
        """Passes a request to stop on; a fault where the ranks do not follow it in time."""
        if not self._stop.count:
            return None
        if self._stop_deadline is None:
            self._stop_deadline = time.monotonic() + processes.STOP_TIMEOUT_SECS
            with contextlib.suppress(OSError):  # who comes next is refused then, and does not wait
                self._lock_file.write(_ENDING)
                self._lock_file.flush()
            # To the ranks themselves: horovodrun would give them five seconds.
            self._ask_ranks_to_stop(job)
        if self._stop.count > 1:
            return Fault("the ranks were killed, as stopping was asked for twice")
        if time.monotonic() > self._stop_deadline:
            return Fault(f"the ranks did not end within {processes.STOP_TIMEOUT_SECS:g} s")
        return None

    def _ask_ranks_to_stop(self, job: subprocess.Popen) -> None:
        reports = heartbeat.read_all(self._config.model_dir)
        if not all(report.is_local for report in reports):
            with contextlib.suppress(DiskFullError):  # they are killed then
                heartbeat.ask_to_stop(self._config.model_dir)
            return
        ranks = [process for process in (report.process() for report in reports) if process]
        for process in ranks or [job]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()

    def _kill(self, job: subprocess.Popen) -> None:
        """Ends all that is left of a job; nothing to do where it ended by itself."""
        reports = heartbeat.read_all(self._config.model_dir)
        ranks = [process for process in (report.process() for report in reports) if process]
        for process in ranks:
            processes.kill_family(process)
        if job.poll() is None:
            # Without its ranks horovodrun ends by itself, and tidies up.
            job.terminate()
            if not processes.has_ended(job, KILL_TIMEOUT_SECS):
                processes.kill_family(psutil.Process(job.pid))
                job.wait()
        psutil.wait_procs(ranks, timeout=KILL_TIMEOUT_SECS)


def _print_error(text: str, status: int) -> int:
    """Prints why the training failed; returns the exit status."""
    print(f"error: {text}", file=sys.stderr, flush=True)
    return status
