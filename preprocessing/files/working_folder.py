"""The folder in which child processes start."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def working_folder(folder: str | Path) -> Iterator[None]:
    """Makes a folder the working directory, of this process and of those that it starts.

    Python looks for modules in the folder in which it is started (`python -m`, `python -c`) before
    it looks among its own: a `random.py` or `yaml.py` that a person has there would take the place
    of the library in Beam's worker processes. Relative paths have to be made absolute before.

    Args:
      folder: one without Python files.
    """
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
