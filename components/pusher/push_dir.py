"""The folder of the served versions: a lock, room on the disk, and what must survive a crash."""

import contextlib
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from preprocessing.files import new_file
from preprocessing.files.locks import NoLocksError, lock

LOCK_FILE = ".push.lock"


def is_local(path: str) -> bool:
    """Whether a path is one of this machine's file system."""
    return "://" not in path


@contextlib.contextmanager
def locked(path: str) -> Iterator[bool]:
    """Keeps other pushes into the same folder waiting.

    The kernel gives the lock back when its process ends, however it ends.

    Args:
      path: an existing folder.

    Yields:
      Whether there is a lock; object stores and some network file systems have none.
    """
    if not is_local(path):
        yield False
        return
    with open(os.path.join(path, LOCK_FILE), "w") as file:
        try:
            lock(file, wait=True)
        except NoLocksError as error:
            logging.warning("%s: the file system has no locks (%s)", path, error.strerror)
            yield False
            return
        yield True


def check_room(model: str, path: str) -> None:
    """Raises OSError where the disk of a local folder has no room for a copy of a model."""
    if not (is_local(model) and is_local(path)):
        return
    needed = sum(file.stat().st_size for file in Path(model).rglob("*") if file.is_file())
    free = shutil.disk_usage(path).free
    if needed > free:
        raise OSError(f"the model has {needed / 1e6:.1f} MB, and {free / 1e6:.1f} MB are free")


def flush(folder: str) -> None:
    """Waits until a local folder and all that is in it are on the disk."""
    if not is_local(folder):
        return
    for parent, _, names in os.walk(folder):
        for name in names:
            new_file.flush(os.path.join(parent, name))
        new_file.flush(parent)


def flush_names(folder: str) -> None:
    """Waits until the names in a local folder are on the disk, as after a rename."""
    if is_local(folder):
        new_file.flush(folder)
