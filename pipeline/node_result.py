"""What became of a node in a run."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

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
    """

    id: str
    state: str
    secs: float
    outputs: Mapping[str, metadata_store_pb2.Artifact] = dataclasses.field(default_factory=dict)
    why: str = ""


class NodeError(Exception):
    """A node raised; `__cause__` is what it raised (KeyboardInterrupt and SystemExit too)."""

    def __init__(self, node_id: str, log: Path, results: Sequence[NodeResult]):
        """`log` holds the node's output; `results` is what became of all nodes."""
        super().__init__(f"{node_id} failed")
        self.node_id = node_id
        self.log = log
        self.results = list(results)
