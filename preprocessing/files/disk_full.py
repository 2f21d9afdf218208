"""A disk that is full is reported as such: which device, and for which file."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import psutil

_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT})
# What libraries in C++ (TensorFlow, HDF5) say, whose errors have no number.
_TEXTS = tuple(os.strerror(number) for number in sorted(_ERRNOS))


class DiskFullError(OSError):
    """There is no space left for a file; one line says where."""

    def __init__(self, path: str | Path):
        """Takes the file that could not be written."""
        super().__init__(path)
        self._text = f"no space left on {_device(Path(path))} for {path}"

    def __str__(self) -> str:
        return self._text


@contextlib.contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Lets an error of a full disk in the block name the file that is written there.

    Raises:
      DiskFullError: the disk is full, whatever library noticed it; of nested blocks the inner one
        counts.
    """
    try:
        yield
    except DiskFullError:
        raise
    except Exception as error:
        if _is_disk_full(error):
            raise DiskFullError(path) from error
        raise


def _is_disk_full(error: Exception) -> bool:
    if getattr(error, "errno", None) in _ERRNOS:
        return True
    return any(text in str(error) for text in _TEXTS)


def _device(path: Path) -> str:
    """The device that a path is or would be on, and where that is mounted."""
    real = Path(os.path.realpath(path))
    parts = psutil.disk_partitions(all=True)
    mounted = {Path(part.mountpoint): part.device or part.fstype for part in parts}
    for folder in (real, *real.parents):
        if folder in mounted:
            return f"{mounted[folder]} (mounted at {folder})"
    return "the disk"
