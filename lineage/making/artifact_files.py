"""Files that nodes left in their artifacts, where they can be read."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def read_json(uri: str, name: str) -> Any:
    """The content of a JSON file in an artifact.

    Returns:
      None where the artifact lies elsewhere, was removed, or lacks the file, as those of earlier
      versions may.
    """
    path = Path(uri, name)
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def read_lines(uri: str, name: str, limit: int) -> list[dict[str, Any]]:
    """The first objects of a file with one object per line; none where `read_json` has None."""
    path = Path(uri, name)
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in itertools.islice(_filled(file), limit)]


def _filled(lines: Iterator[str]) -> Iterator[str]:
    return (line for line in lines if line.strip())
