"""What a prune would remove, and what it leaves."""

import dataclasses
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Item:
    """Something that takes room and that nothing needs.

    Attributes:
      what: in words of the trade.
      path: its folder or file.
      num_bytes: what is freed.
      why: nothing needs it.
      artifact_id: of an artifact in ML Metadata, which is marked as pruned; None for what is none.
    """

    what: str
    path: Path
    num_bytes: int
    why: str
    artifact_id: int | None = None


@dataclasses.dataclass
class Plan:
    """What a prune does.

    Attributes:
      items: what it frees.
      kept: why runs are kept, by run.
      let_be: what it does not touch although no kept run is known to need it, and why, a line each.
      runs: the runs that are not kept.
    """

    items: list[Item] = dataclasses.field(default_factory=list)
    kept: dict[str, str] = dataclasses.field(default_factory=dict)
    let_be: list[str] = dataclasses.field(default_factory=list)
    runs: list[str] = dataclasses.field(default_factory=list)

    @property
    def num_bytes(self) -> int:
        """What is freed in all."""
        return sum(item.num_bytes for item in self.items)
