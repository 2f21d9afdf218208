"""A folder tree of its own for a process, as a container has it: no engine, no image.

The process sees this machine's files, but /tmp and the folders that it is given are its own. It
needs Linux, and root or user namespaces.
"""

import ctypes
import os
import sys
from collections.abc import Mapping
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_NEW_MOUNTS, _NEW_USER = 0x00020000, 0x10000000
_BIND, _RECURSIVE, _PRIVATE = 0x1000, 0x4000, 0x40000
ROOT = Path(__file__).parents[1]


def enter(root: Path, folders: Mapping[str, Path]) -> None:
    """Moves this process into the tree; its children are born there.

    Args:
      root: an empty folder, which is the place of the tree.
      folders: folders of this machine by the absolute paths that they have in the tree; `/tmp`
        is among them.

    Raises:
      OSError: it may not.
    """
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        _check(_LIBC.unshare(_NEW_MOUNTS), "unshare")
    else:
        _check(_LIBC.unshare(_NEW_MOUNTS | _NEW_USER), "unshare")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    _mount("none", "/", None, _RECURSIVE | _PRIVATE)
    _mount("tmpfs", str(root), "tmpfs", 0)
    own = {path.split("/")[1] for path in folders} | {"tmp"}
    for entry in os.scandir("/"):
        target = root / entry.name
        if entry.name in own:
            continue
        if entry.is_symlink():
            target.symlink_to(os.readlink(entry.path))
        elif entry.is_dir():
            _bind(entry.path, target)
    for path, source in {"/tmp": folders["/tmp"], **folders, **_code()}.items():
        _bind(str(source), root / path[1:])
    os.chroot(root)
    os.chdir("/tmp")


def _code() -> dict[str, Path]:
    """The code and the interpreter, where they lie in /tmp."""
    places = (str(ROOT), sys.prefix, sys.base_prefix)
    return {place: Path(place) for place in places if place.startswith("/tmp/")}


def _bind(source: str, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    _mount(source, str(target), None, _BIND | _RECURSIVE)


def _mount(source: str, target: str, kind: str | None, flags: int) -> None:
    kind_bytes = kind.encode() if kind else None
    done = _LIBC.mount(source.encode(), target.encode(), kind_bytes, flags, None)
    _check(done, f"mount {target}")


def _check(status: int, what: str) -> None:
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
