"""Paths for libraries that take every path for a pattern."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

# What Beam's and TensorFlow's file systems, and Python's glob, do not take literally.
_SPECIAL = frozenset("*?[]{}\\")


@contextlib.contextmanager
def plain_path(path: str) -> Iterator[str]:
    """A path to the same folder in which no character has a meaning of its own.

    Beam has no way to quote a character of a pattern (apache_beam.io.filesystem), and TFX's stock
    components make patterns of the folders of artifacts.

    Args:
      path: a folder, or a URI.

    Yields:
      The path itself where it is plain or no local one; else a link to it in the folder of
      temporary files, for as long as the context lasts.
    """
    if "://" in path or not _SPECIAL & set(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="effnet-") as folder:
        link = Path(folder, "folder")
        link.symlink_to(os.path.abspath(path), target_is_directory=True)
        yield str(link)
