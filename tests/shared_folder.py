"""Folders that all processes of a test run share, since what is in them takes long to make."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from preprocessing.files import locks


def make_once(
    tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]
) -> Path:
    """A folder that the first process which asks for it fills; the others wait. For reading.

    Args:
      tmp_path_factory: pytest's.
      name: of the folder.
      make: fills the folder, which is empty.
    """
    parent = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # each has a folder of its own in that of the run
        parent = parent.parent
    with (parent / f"{name}.lock").open("w") as lock:
        locks.lock(lock, wait=True)
        if not (parent / name).exists():
            new = parent / f"{name}.new"
            new.mkdir()
            make(new)
            new.rename(parent / name)
    return parent / name
