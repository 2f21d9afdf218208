"""What became of a node in a run."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_metadata.proto import metadata_store_pb2


@dataclasses.dataclass(frozen=True)
class NodeResult:
    """What became of a node.

    Attributes:
      id: the node's id.
      state: ran, cached, failed or skipped.
      secs: how long it took.
      outputs: output artifacts by key, as ML Metadata has them.
      why: why it ran or did not, in one line.
      sources: by input key, the node and output key that each input comes from.
      after: the nodes that it waits for, those of its inputs among them.
      settings: its exec properties by name, as far as they are known.
      peak_memory_mb: the most memory of all processes of the run while it ran, 10^6 bytes; None
        where it did not run.
    """

    id: str
    state: str
    secs: float
    outputs: Mapping[str, metadata_store_pb2.Artifact] = dataclasses.field(default_factory=dict)
    why: str = ""
    sources: Mapping[str, Sequence[tuple[str, str]]] = dataclasses.field(default_factory=dict)
    after: Sequence[str] = ()
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    peak_memory_mb: float | None = None


class NodeError(Exception):
    """A node raised; `__cause__` is what it raised (KeyboardInterrupt and SystemExit too)."""

    def __init__(self, node_id: str, log: Path, results: Sequence[NodeResult]):
        """`log` holds the node's output; `results` is what became of all nodes."""
        super().__init__(f"{node_id} failed")
        self.node_id = node_id
        self.log = log
        self.results = list(results)
