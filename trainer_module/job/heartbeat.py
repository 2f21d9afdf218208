"""Signs of life of the ranks, one small file each, for whoever watches a training.

Nothing here imports TensorFlow: the supervisor reads what the ranks write.
"""

import contextlib
import dataclasses
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from preprocessing.files import disk_full
from preprocessing.files.disk_full import DiskFullError
from preprocessing.files.new_file import write_text
from trainer_module.job import host_name

FOLDER = "ranks"
# Beside the signs: its presence asks all ranks to stop, also those that no signal reaches.
_STOP_FILE = "stop"
INTERVAL_SECS = 1.0
# A sign is filled up to so many bytes, the block of a file system, so that the last one has space.
_FILE_BYTES = 4096
_MAX_ERROR_CHARS = 3000

# Phases. In TRAINING and EVALUATING one step or batch has to follow the other; the others are each
# one long piece of work, of which nothing is seen before its end.
STARTING = "starting"
COMPILING = "compiling"  # the first step of a stage or batch of an evaluation: traces, compiles
TRAINING = "training"
EVALUATING = "evaluating"
FINISHING = "finishing"  # exports
LONG_PHASES = frozenset({STARTING, COMPILING, FINISHING})

# Two readings of one process's start may differ by what the clock was set in between.
_SAME_START_SECS = 2.0


@dataclasses.dataclass(frozen=True)
class RankReport:
    """What a rank says of itself.

    Attributes:
      rank: its number.
      host: the machine it runs on.
      pid: its process there.
      started: Unix time of the process's start; with `pid` it names one process for good.
      phase: one of the phases above.
      step: the newest step that it began; 0 before the first.
      batches: batches that it has evaluated.
      time: Unix time of this sign.
      status: the exit status, once the rank knows how it ends.
      error: one line, where the rank ended by an error.
    """

    rank: int
    host: str
    pid: int
    started: float
    phase: str
    step: int
    batches: int
    time: float
    status: int | None = None
    error: str = ""

    @property
    def is_local(self) -> bool:
        """Whether the rank runs on this machine."""
        return self.host == host_name.own()

    def process(self) -> psutil.Process | None:
        """The rank's process; None where it is gone or runs on another machine."""
        if not self.is_local:
            return None
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            same = abs(process.create_time() - self.started) < _SAME_START_SECS
        except psutil.NoSuchProcess:
            return None
        return process if same else None


class Heartbeat:
    """Writes this rank's file once a second, from a thread.

    Attributes:
      phase: what the rank does now; set it where that changes.
      step: the newest step that was begun.
      batches: batches that were evaluated.
    """

    def __init__(
        self,
        model_dir: str,
        rank: int,
        interval_secs: float = INTERVAL_SECS,
        clock: Callable[[], float] = time.time,
    ):
        """Writes nothing before `start`.

        Args:
          model_dir: the training's folder.
          rank: the number of this rank.
          interval_secs: seconds between two signs.
          clock: Unix time, which each sign holds.
        """
        self.phase, self.step, self.batches = STARTING, 0, 0
        self._path = Path(model_dir) / FOLDER / f"rank-{rank}.json"
        self._rank, self._interval_secs, self._clock = rank, interval_secs, clock
        self._started = psutil.Process().create_time()
        self._ended = threading.Event()
        self._disk_full: DiskFullError | None = None
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Writes the first sign, and the others from now on.

        Raises:
          DiskFullError: there is no space for the file.
        """
        with disk_full.naming(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        self._write()
        self._thread.start()

    def begin_step(self, step: int) -> None:
        """Notes that a step begins.

        Raises:
          DiskFullError: there was no space for a sign.
        """
        self.step = step
        self._check()

    def end_batch(self) -> None:
        """Notes that a batch was evaluated.

        Raises:
          DiskFullError: there was no space for a sign.
        """
        self.batches += 1
        self._check()

    def _check(self) -> None:
        if self._disk_full is not None:
            raise self._disk_full

    def stop(self, status: int, error: str = "") -> None:
        """Writes the last sign.

        Args:
          status: the exit status that the rank ends with.
          error: what ended it, where that was an error.

        Raises:
          DiskFullError: there was no space for the first sign, and is none for this one.
        """
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self._write(status, " ".join(error.split()))

    def _run(self) -> None:
        has_warned, is_asked = False, False
        while not self._ended.wait(self._interval_secs):
            try:
                self._write()
                if not is_asked and self._path.with_name(_STOP_FILE).exists():
                    is_asked = True
                    os.kill(os.getpid(), signal.SIGTERM)
            except OSError as error:  # a file server that is away may come back
                if not has_warned:
                    print(f"cannot write {self._path}: {error}", file=sys.stderr, flush=True)
                has_warned = True

    def _write(self, status: int | None = None, error: str = "") -> None:
        report = RankReport(
            rank=self._rank,
            host=host_name.own(),
            pid=os.getpid(),
            started=self._started,
            phase=self.phase,
            step=self.step,
            batches=self.batches,
            time=self._clock(),
            status=status,
            error=error[:_MAX_ERROR_CHARS],
        )
        text = json.dumps(dataclasses.asdict(report)).ljust(_FILE_BYTES)
        try:
            write_text(self._path, text)
        except DiskFullError as full:
            if not self._path.exists():
                raise
            # Its file has all the space that it needs: a reader learns how the rank ends.
            self._disk_full = self._disk_full or full
            with self._path.open("r+", encoding="utf-8") as file:
                file.write(text)


def ask_to_stop(model_dir: str) -> None:
    """Asks all ranks to stop, wherever they run: each then sends itself SIGTERM.

    Raises:
      DiskFullError: there is no space for the file.
    """
    write_text(Path(model_dir) / FOLDER / _STOP_FILE, "")


def read_all(model_dir: str) -> list[RankReport]:
    """The newest sign of each rank that has given one, in order of rank."""
    reports = []
    for path in (Path(model_dir) / FOLDER).glob("rank-*.json"):
        # Cleared for a new start meanwhile, or (on a full disk only) half overwritten.
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
            reports.append(RankReport(**json.loads(path.read_text())))
    return sorted(reports, key=lambda report: report.rank)
