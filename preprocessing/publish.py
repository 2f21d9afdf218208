"""Datasets appear whole or not at all."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from preprocessing.errors import InputError


@contextlib.contextmanager
def staged(folder: str) -> Iterator[Path]:
    """Gives an empty folder beside `folder`, which takes its place when all went well.

    The one rename is what publishes: a reader finds nothing, or everything. After an error the
    staging folder is removed; what a killed process left stays hidden under a name with a dot.

    Args:
      folder: where the result is to be; absent, or an empty folder.

    Raises:
      InputError: `folder` has something in it.
    """
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"the output folder must be empty or absent. Received: {folder}")
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    # mkdtemp gives a folder that only its owner may read, and the result keeps that mode.
    staging.chmod(0o755)
    try:
        yield staging
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
