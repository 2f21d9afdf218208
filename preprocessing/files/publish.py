"""Datasets appear whole or not at all, and killed runs leave nothing behind for long.

What is being written lies in a hidden folder beside the place where it will be, and its owner
holds a lock on that folder. The kernel gives the lock up when the owner is gone, however it ended:
so the next run beside it can tell a folder that is in use from one that a killed run left.
"""

import contextlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from preprocessing.errors import InputError
from preprocessing.files.locks import NoLocksError
from preprocessing.files.locks import lock as take_lock

# Of the names of hidden folders for the time of writing.
SUFFIX = ".staging"


@contextlib.contextmanager
def staged(folder: str) -> Iterator[Path]:
    """Gives an empty folder beside `folder`, which takes its place when all went well.

    The one rename is what publishes: a reader finds nothing, or everything. After an error the
    staging folder is removed; what a killed process left is hidden, under a name with a dot, until
    the next `staged` or `scratch_folder` beside it removes it.

    Args:
      folder: where the result is to be; absent, or an empty folder.

    Raises:
      InputError: `folder` has something in it.
    """
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"the output folder must be empty or absent. Received: {folder}")
    with scratch_folder(target.parent, target.name) as staging:
        # mkdtemp gives a folder that only its owner may read, and the result keeps that mode.
        staging.chmod(0o755)
        yield staging
        staging.rename(target)


@contextlib.contextmanager
def scratch_folder(parent: str | Path, name: str) -> Iterator[Path]:
    """Gives an empty hidden folder in `parent`, which is gone afterwards, if it still is there.

    First removes such folders whose owners are gone.

    Args:
      parent: is made if it does not exist.
      name: part of the folder's name, for people who look.
    """
    Path(parent).mkdir(parents=True, exist_ok=True)
    remove_abandoned(parent)
    folder, lock = _make_locked(Path(parent), name)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def remove_abandoned(parent: str | Path) -> list[Path]:
    """Removes the staging folders in `parent` that no living process owns.

    Returns:
      What was removed.
    """
    removed = []
    for folder in _abandoned(parent):
        logging.info("removing %s, which a killed run left", folder)
        shutil.rmtree(folder, ignore_errors=True)
        removed.append(folder)
    return removed


def abandoned(parent: str | Path) -> list[Path]:
    """The staging folders in `parent` that no living process owns; they stay."""
    return list(_abandoned(parent))


def _abandoned(parent: str | Path) -> Iterator[Path]:
    """The folders of `abandoned`, each locked until the next one is asked for."""
    for folder in sorted(Path(parent).glob(f".*{SUFFIX}")):
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:  # its owner has just published or removed it
            continue
        try:
            if _is_abandoned(lock):
                yield folder
        finally:
            os.close(lock)


def _make_locked(parent: Path, name: str) -> tuple[Path, int]:
    """Makes a folder and locks it; returns it with the open descriptor that holds the lock."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=SUFFIX, dir=parent))
        # Child processes do not inherit the descriptor: the lock ends with this process.
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:  # somebody cleaned up before it was locked
            continue
        with contextlib.suppress(NoLocksError):  # nobody will clean up there
            take_lock(lock, wait=True)  # somebody may be cleaning up right now
        if folder.exists():
            return folder, lock
        os.close(lock)


def _is_abandoned(descriptor: int) -> bool:
    """Whether nobody holds the lock. A file system without locks never says so."""
    try:
        return take_lock(descriptor)
    except NoLocksError:
        return False
