"""What all sources of runs have in common."""

import abc
import datetime
import functools
from collections.abc import Iterable
from pathlib import Path

from lineage.record.parts import Artifact
from lineage.record.run import Run, RunLine
from pipeline.mlmd import liveness
from preprocessing.errors import InputError

RUNNING, KILLED = "running", "killed"
# As many runs are named where the one that was asked for is not there.
_NAMED_RUNS = 5


class RunSource(abc.ABC):
    """A source that runs are read from: a store or files.

    Attributes:
      name: what to call it, as in `the records in runs/digits`.
      output_dir: the output folder that it belongs to, None if it is of no single one.
      notes: what a person should know of it, a line each.
      unreadable: records that cannot be read, and why; what they say is missing in all answers.
    """

    def __init__(self, name: str, output_dir: Path | None):
        self.name, self.output_dir = name, output_dir
        self.notes: list[str] = []
        self.unreadable: list[str] = []

    @abc.abstractmethod
    def lines(self, limit: int | None = None) -> list[RunLine]:
        """The lines of the newest runs, or of all, the newest first."""

    @abc.abstractmethod
    def find(self, run_id: str) -> Run | None:
        """A run, None where it is not here."""

    @abc.abstractmethod
    def artifact(self, artifact_id: int) -> Artifact | None:
        """An artifact by its number, None where it is not here."""

    @abc.abstractmethod
    def artifact_at(self, uri: str) -> Artifact | None:
        """The same by its folder."""

    def run(self, run_id: str) -> Run:
        """A run.

        Raises:
          InputError: it is not here; with the names of some that are.
        """
        found = self.find(run_id)
        if found is None:
            raise InputError(f"{self.name} must have run {run_id!r}; {self.named_runs()}")
        return found

    def latest(self) -> RunLine:
        """The newest run.

        Raises:
          InputError: there is none.
        """
        newest = self.lines(limit=1)
        if not newest:
            raise InputError(f"{self.name} must have a run; there is none yet")
        return newest[0]

    def named_runs(self) -> str:
        """Some runs by name, for errors."""
        names = [line.id for line in self.lines(limit=_NAMED_RUNS)]
        return f"the last ones are: {', '.join(names) or 'none'}"

    def state_of(self, line: RunLine, beat: datetime.datetime | None = None) -> str:
        """The state of a run; one whose process is gone without a word was killed.

        Args:
          line: the run.
          beat: when it last said that it lives, None where that is not known.
        """
        if line.state != RUNNING:
            return line.state
        if self.output_dir is not None and self.is_of_folder(line):
            is_dead = liveness.is_free(self.output_dir)
        else:
            is_dead = liveness.is_dead(Path(line.output_dir), line.host, beat)
        return KILLED if is_dead else RUNNING

    def is_of_folder(self, line: RunLine) -> bool:
        """Whether a run is of the source's output folder, wherever that was when it ran."""
        return bool(line.output_id) and line.output_id == self._output_id

    @functools.cached_property
    def _output_id(self) -> str | None:
        # Asked for each of many runs.
        return liveness.known_output_id(self.output_dir) if self.output_dir is not None else None

    def settled(self, run: Run, beat: datetime.datetime | None = None) -> Run:
        """A run, with the state of what was killed; `beat` as `state_of` takes it."""
        state = self.state_of(run.line(), beat)
        if state == run.run.state:
            return run
        nodes = [
            node.model_copy(update={"state": state}) if node.state == RUNNING else node
            for node in run.nodes
        ]
        info = run.run.model_copy(update={"state": state})
        return run.model_copy(update={"run": info, "nodes": nodes})


def newest_first(lines: Iterable[RunLine]) -> list[RunLine]:
    """Sorted by their start."""
    return sorted(lines, key=lambda line: (line.started, line.id), reverse=True)
