"""The picture files that a person names: files, folders, or standard input."""

import functools
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from preprocessing.errors import InputError

STANDARD_INPUT = "-"


def check_paths(paths: Iterable[str]) -> None:
    """Raises InputError where a path does not exist, or is a folder without files."""
    for path in paths:
        if path == STANDARD_INPUT:
            continue
        if not Path(path).exists():
            raise InputError(f"IMAGE must be a file or a folder. Received: {path!r} (missing)")
        if next(list_files([path]), None) is None:
            raise InputError(f"nothing to predict: the folder {path!r} holds no files")


def list_files(paths: Iterable[str]) -> Iterator[str]:
    """Files as they are, folders walked in order of their names, without hidden ones."""
    for path in paths:
        if path == STANDARD_INPUT or not Path(path).is_dir():
            yield path
            continue
        for parent, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(name for name in names if not name.startswith(".")):
                yield os.path.join(parent, name)


def read(file: str, folder: str = "") -> bytes:
    """The bytes of a file, or for `-` of the picture on standard input.

    Args:
      file: its path.
      folder: where a relative path begins; by default in the current one.

    Raises:
      OSError: it cannot be read.
    """
    return _standard_input() if file == STANDARD_INPUT else Path(folder, file).read_bytes()


@functools.cache
def _standard_input() -> bytes:
    # It can be read once, and may be named twice, and shown after it was classified.
    return sys.stdin.buffer.read()
