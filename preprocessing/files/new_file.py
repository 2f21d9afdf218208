"""Files that appear under their name when they are complete.

Why not a library: atomicwrites is no longer maintained, and what it did is two calls of the
standard library.
"""

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from preprocessing.files import disk_full

_SUFFIX = ".writing"


@contextlib.contextmanager
def new_file(path: str | Path, *, durable: bool = False) -> Iterator[Path]:
    """Gives a temporary name beside `path`, and renames it to `path` when all went well.

    A reader sees the old file or the new one, never a part. Several writers may write the same
    file at the same time, each under a name of its own: the last one to finish stays.

    Args:
      path: the file; its folder exists.
      durable: whether the content is on the disk before the name is. Costs a wait for the disk;
        for files that must survive a crash of the machine.

    Raises:
      DiskFullError: there is no space for it.
    """
    path = Path(path)
    # Hidden, so that no listing of a folder's files takes it for one of them.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}{_SUFFIX}")
    try:
        with disk_full.naming(path):
            yield temporary
            if durable:
                flush(temporary)
            os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)


def write_text(path: str | Path, text: str) -> None:
    """Writes a UTF-8 text file, which appears under its name when it is complete."""
    with new_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def remove_unfinished(folder: str | Path) -> None:
    """Removes what killed writers left in a folder, for its only writer."""
    for path in Path(folder).glob(f".*{_SUFFIX}"):
        path.unlink(missing_ok=True)


def flush(path: str | Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
