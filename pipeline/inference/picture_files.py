"""The picture files that a person names: files, folders, or standard input."""

import functools
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from preprocessing.errors import InputError
from preprocessing.sources import storage
from preprocessing.sources.base import MAX_IMAGE_BYTES

STANDARD_INPUT = "-"
# What a shell makes of `<(command)`; other pipes may never end.
_PIPES_OF_SHELLS = "/dev/fd/"


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
    """Files as they are, folders walked in order of their names, without what a corpus skips."""
    for path in paths:
        if path == STANDARD_INPUT or not Path(path).is_dir():
            yield path
            continue
        for parent, folders, names in os.walk(path):
            folders[:] = sorted(filter(storage.is_visible, folders))
            for name in sorted(filter(storage.is_visible, names)):
                yield os.path.join(parent, name)


def read(file: str, folder: str = "") -> bytes:
    """The bytes of a file, or for `-` of the picture on standard input.

    Args:
      file: its path.
      folder: where a relative path begins; by default in the current one.

    Raises:
      ReadError: it is missing, no regular file, too large, or cannot be read.
    """
    if file == STANDARD_INPUT:
        return _standard_input()
    if file.startswith(_PIPES_OF_SHELLS):
        return _of_pipe(file)
    return storage.read_file(os.path.join(folder, file), MAX_IMAGE_BYTES)


@functools.cache
def _standard_input() -> bytes:
    # It can be read once, and may be named twice, and shown after it was classified.
    return sys.stdin.buffer.read()


@functools.cache
def _of_pipe(file: str) -> bytes:
    return Path(file).read_bytes()
