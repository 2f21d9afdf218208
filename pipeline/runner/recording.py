"""What a run tells to whoever keeps a record of it.

The record is made in `lineage/`, which builds on this package: so a run is given its recorder.
"""

import dataclasses
import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from pipeline.config import PipelineConfig
from pipeline.mlmd.connection import Connection


@dataclasses.dataclass(frozen=True)
class RunFacts:
    """What is known of a run when it starts.

    Attributes:
      id: the run.
      started: when it began, with its zone.
      config: the validated config.
      output_dir: absolute path of its output folder, whose lock is held.
      connection: where ML Metadata is; it has the run's context.
    """

    id: str
    started: datetime.datetime
    config: PipelineConfig
    output_dir: Path
    connection: Connection


class Recorder(Protocol):
    """Keeps a record of runs. Each call returns what a person should know, a line each."""

    def started(self, run: RunFacts) -> list[str]:
        """The run begins: its first node comes next."""

    def ended(self, run: RunFacts, summary: Mapping[str, Any]) -> list[str]:
        """The run ended, however; `summary` is the content of `summary.json`."""
