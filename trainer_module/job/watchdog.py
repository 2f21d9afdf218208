"""Finds out from the ranks' signs of life how a training fares, and how it ended."""

import dataclasses
import time
from collections.abc import Callable, Sequence

from trainer_module.job import heartbeat
from trainer_module.job.heartbeat import RankReport
from trainer_module.job.processes import BAD_INPUT, CRASHED, DONE, FAILED, INTERRUPTED

# A rank gives a sign every second in every phase; one that is silent for so long is stopped or
# hangs outside of Python.
SILENCE_SECS = 60.0
# What a long phase may take, in stall timeouts: compiling a large model takes many minutes.
LONG_PHASE_FACTOR = 6
# How a rank can say that starting again does not help: the training's status then.
_FINAL = {BAD_INPUT: BAD_INPUT, FAILED: FAILED, INTERRUPTED: FAILED}


@dataclasses.dataclass(frozen=True)
class Fault:
    """What ended a training that could go on from its last checkpoint.

    Attributes:
      text: one line: which rank, on which host, in which step, and what happened to it.
      retryable: whether starting again can help.
      by_error: whether a rank raised an error, which `text` tells; the same one twice would
        come a third time.
    """

    text: str
    retryable: bool = True
    by_error: bool = False


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a training ended by itself.

    Attributes:
      status: its exit status.
      error: one line, where that is not DONE.
    """

    status: int
    error: str = ""


class Watch:
    """Watches the ranks of one start of a training."""

    def __init__(
        self,
        model_dir: str,
        stall_timeout_secs: float,
        clock: Callable[[], float] = time.monotonic,
    ):
        """Reads the ranks' files in `model_dir`.

        Args:
          model_dir: the training's folder, without signs of an earlier start.
          stall_timeout_secs: seconds without a step or an evaluated batch, or without a sign of
            a rank, that are taken for a hang; in long phases `LONG_PHASE_FACTOR` times as many.
          clock: seconds that never go back.
        """
        self._model_dir, self._clock = model_dir, clock
        self._stall_secs = stall_timeout_secs
        self._silence_secs = min(stall_timeout_secs, SILENCE_SECS)
        # By rank: the time that stands in its newest sign, and when that came to be seen. Only
        # this machine's clock is looked at: those of the hosts may differ.
        self._signs: dict[int, tuple[float, float]] = {}
        self._progress: tuple[object, float] = (None, clock())

    def look(self) -> Fault | None:
        """The fault that the training has now, if any; call it a few times a second."""
        reports = heartbeat.read_all(self._model_dir)
        running = [report for report in reports if report.status is None]
        if any(report.status in _FINAL for report in reports):
            return None  # the ranks end the training themselves
        return (
            self._died(running)
            or _crashed(reports)
            or self._silent(running)
            or self._stalled(reports)
        )

    def outcome(self, exit_status: int) -> Outcome | Fault:
        """How the training ended, or a fault.

        Args:
          exit_status: of the process that the supervisor started. `horovodrun` hides how its
            ranks ended, so what they wrote counts before it.
        """
        reports = heartbeat.read_all(self._model_dir)
        for status, result in _FINAL.items():
            errors = [report.error for report in reports if report.status == status]
            if errors:
                return Outcome(result, errors[0])
        fault = self._died([report for report in reports if report.status is None]) or _crashed(
            reports
        )
        if fault:
            return fault
        if exit_status == 0:
            return Outcome(DONE)
        if reports:  # the ranks were well; what they ran under was killed, perhaps for its memory
            where = _where(min(reports, key=lambda report: report.step))
            return Fault(f"what started the ranks ended with status {exit_status} {where}")
        # Nothing below this process ever came as far as to say who it is.
        return Fault(f"the ranks could not be started (exit status {exit_status})", retryable=False)

    def _died(self, running: Sequence[RankReport]) -> Fault | None:
        for report in running:
            if report.is_local and report.process() is None:
                if self._ended_since(report):
                    return None
                return Fault(f"{_name(report)} died {_where(report)}")
        return None

    def _ended_since(self, report: RankReport) -> bool:
        """Whether the rank wrote how it ended after `report` was read."""
        newest = heartbeat.read_all(self._model_dir)
        return any(new.rank == report.rank and new.status is not None for new in newest)

    def _silent(self, running: Sequence[RankReport]) -> Fault | None:
        now = self._clock()
        for report in running:
            newest, seen = self._signs.get(report.rank, (None, now))
            if newest != report.time:
                self._signs[report.rank] = (report.time, now)
            elif now - seen >= self._silence_secs:
                return Fault(f"{_name(report)} gives no sign of life any more {_where(report)}")
        return None

    def _stalled(self, reports: Sequence[RankReport]) -> Fault | None:
        state = [(report.rank, report.phase, report.step, report.batches) for report in reports]
        last, since = self._progress
        if state != last:
            self._progress = (state, self._clock())
            return None
        late = [report for report in reports if report.phase in heartbeat.LONG_PHASES]
        limit_secs = self._stall_secs * (LONG_PHASE_FACTOR if late else 1)
        if not reports or self._clock() - since < limit_secs:
            return None
        # The ranks wait for each other in every step: who did not begin it holds up the others.
        first = min(report.step for report in reports)
        behind = late or [report for report in reports if report.step == first]
        what = {heartbeat.TRAINING: "took no step", heartbeat.EVALUATING: "evaluated no batch"}
        idle = what.get(behind[0].phase, f"went on {behind[0].phase}")
        names = ", ".join(map(_name, behind))
        return Fault(f"{names} {idle} for {limit_secs:g} s {_where(behind[0])}")


def _crashed(reports: Sequence[RankReport]) -> Fault | None:
    """The first rank that ended by an error; those after it missed that one."""
    crashed = [report for report in reports if report.status == CRASHED]
    if not crashed:
        return None
    first = min(crashed, key=lambda report: report.time)
    return Fault(f"{_name(first)} failed {_where(first)}: {first.error}", by_error=True)


def _name(report: RankReport) -> str:
    return f"rank {report.rank} on {report.host}"


def _where(report: RankReport) -> str:
    return f"in step {report.step}" if report.step else f"before its first step ({report.phase})"
