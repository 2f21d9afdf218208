"""What lies in the folder of a dataset."""

from pathlib import Path
from typing import Any

from preprocessing.files import records


def tree(folder: Path) -> dict[str, bytes]:
    """The bytes of every file by its path below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def read(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """(split, values) of every record below a dataset."""
    return [
        (path.parent.name.removeprefix("Split-"), records.parse_record(record))
        for path in sorted(folder.glob("Split-*/*"))
        for record in records.read_records(str(path))
    ]
