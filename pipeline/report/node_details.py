"""What the page says of nodes and only the run itself knows, kept beside the page.

`effnet bless` writes the page of a run again, when its DAG is gone.
"""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from pipeline.node_result import NodeResult
from preprocessing.files.new_file import write_text

FILE = "nodes.json"
_KEPT = ("sources", "after", "settings", "peak_memory_mb")


def write(folder: Path, results: Sequence[NodeResult]) -> None:
    """Writes the details of all nodes into the folder of the page."""
    kept = {result.id: {name: getattr(result, name) for name in _KEPT} for result in results}
    write_text(folder / FILE, json.dumps(kept, indent=1) + "\n")


def restored(folder: Path, results: Sequence[NodeResult]) -> list[NodeResult]:
    """The results with the details that were written; without, for a run of an earlier version."""
    path = folder / FILE
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return [dataclasses.replace(result, **kept.get(result.id, {})) for result in results]
