"""Locks between processes that end with the process that holds them, however it ends.

Why not filelock: it cannot lock a folder, nor ask for a shared lock.
"""

import fcntl
from typing import IO


class NoLocksError(OSError):
    """The file system has no locks, as some network file systems."""


def lock(file: int | IO, *, shared: bool = False, wait: bool = False) -> bool:
    """Locks an open file or folder until it is closed or the process ends.

    Child processes that inherit the descriptor hold the lock as well.

    Args:
      file: open; a descriptor may be that of a folder.
      shared: whether others may hold a shared lock at the same time.
      wait: whether to wait for whoever holds it.

    Returns:
      Whether the lock is held now; False where another has it.

    Raises:
      NoLocksError: the file system has no locks.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise NoLocksError(error.errno, error.strerror) from error
    return True
