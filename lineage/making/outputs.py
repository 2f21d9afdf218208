"""The nodes of a run by what they made."""

import dataclasses
from collections.abc import Sequence

from lineage.record.parts import Artifact, Node


@dataclasses.dataclass(frozen=True)
class Outputs:
    """Looks up artifacts by node and key."""

    nodes: Sequence[Node]
    artifacts: Sequence[Artifact]

    def node(self, node_id: str) -> Node | None:
        """The newest execution of a node that made something, None where there is none."""
        made = [node for node in self.nodes if node.id == node_id and node.outputs]
        return made[-1] if made else None

    def artifact(self, node_id: str, key: str) -> Artifact | None:
        """The output of that execution."""
        node = self.node(node_id)
        ids = node.outputs.get(key, []) if node is not None else []
        return next((a for a in self.artifacts if ids and a.id == ids[0]), None)
