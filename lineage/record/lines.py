"""The lines of many records, from an index beside them that is mended where it is stale.

A record of a run with many classes has a megabyte, its line some hundred bytes. The index holds
each record's line with the size and time of change of its file.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lineage.record import files
from lineage.record.run import RunLine
from preprocessing.errors import InputError
from preprocessing.files.new_file import write_text

INDEX_FILE = "lines.json"
# Goes up with each change of `RunLine`, or an index of before would be taken for a whole one.
_VERSION = 1


def read(folder: Path) -> tuple[list[RunLine], list[str]]:
    """Reads the lines of all records below a folder.

    Args:
      folder: the folder of the records.

    Returns:
      The lines, in no order, and a line of text for each file that is no readable record.
    """
    known, lines, unreadable = _index(folder), {}, []
    for path in record_files(folder):
        name, state = path.relative_to(folder).as_posix(), _state(path)
        entry = known.get(name)
        if entry is None or entry["state"] != state:
            try:
                entry = {"state": state, "line": files.read(path).line().model_dump(mode="json")}
            except InputError as error:
                unreadable.append(str(error))
                continue
        lines[name] = entry
    if lines != known:
        # Whoever may only read has to do without the index.
        with contextlib.suppress(OSError):
            text = json.dumps({"of": _of(folder), "lines": lines})
            write_text(folder / INDEX_FILE, text)
    return [RunLine.model_validate(entry["line"]) for entry in lines.values()], unreadable


def record_files(folder: Path) -> Iterator[Path]:
    """The records below a folder, at any depth."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        if files.FILE in names:
            yield Path(parent, files.FILE)


def _index(folder: Path) -> dict[str, Any]:
    """What the index says, nothing where there is none that can be read: it is made again."""
    try:
        found = json.loads((folder / INDEX_FILE).read_text(encoding="utf-8"))
        return found["lines"] if found["of"] == _of(folder) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _of(folder: Path) -> list[Any]:
    # A folder that was moved has its artifacts elsewhere.
    return [_VERSION, str(folder.absolute())]


def _state(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]
