"""Empty folders on their way through a bucket, which has none: a hidden file stands in."""

import os
from pathlib import Path

MARKER = ".empty_folder"


def mark(folder: Path) -> None:
    """Puts the file into each empty folder at or below `folder`."""
    for parent, folders, names in os.walk(folder):
        if not folders and not names:
            Path(parent, MARKER).touch()


def restore(folder: Path) -> None:
    """Removes the files that `mark` made."""
    for path in list(folder.rglob(MARKER)):
        path.unlink()
