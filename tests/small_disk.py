"""A real disk that is soon full, for processes of tests: a tmpfs that nobody else sees."""

import ctypes
import os
from pathlib import Path

_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_REC, _MS_PRIVATE = 16384, 1 << 18
# Exit status of a process that may not have a disk of its own, as in containers without user
# namespaces.
NOT_ALLOWED = 77


def mount(folder: Path, size_bytes: int) -> None:
    """Puts an empty disk at a folder, for this process and those that it starts.

    The process must have one thread. It ends with NOT_ALLOWED where the system forbids this.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS):
        os._exit(NOT_ALLOWED)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
    options = f"size={size_bytes}".encode()
    if libc.mount(b"none", os.fsencode(folder), b"tmpfs", 0, options):
        os._exit(NOT_ALLOWED)


def fill(folder: Path) -> None:
    """Leaves no space on the disk of a folder."""
    with (folder / "filler").open("wb", buffering=0) as file:
        size = 1 << 16
        while size:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2
