"""The name of this machine, which Horovod wants to find an address for.

Horovod 0.28 makes one of its connections by the machine's own name, whichever network it is told
to use (gloo_context.cc, InitializeForProcessSet), and ends with a segmentation fault where the name
has no address that can be listened on: in containers with the name of another machine, and where a
name was changed and /etc/hosts was not. There the ranks get a name of their own, `localhost`, in a
namespace of Linux, where the system lets us.
"""

import ctypes
import os
import socket
import subprocess
import sys

from preprocessing.errors import InputError

# Set for ranks that got another name: the machine's own, by which they know each other.
VARIABLE = "EFFNET_HOST"
_NAME_FOR_RANKS = b"localhost"
_CLONE_NEWUTS, _CLONE_NEWUSER = 0x04000000, 0x10000000
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def own() -> str:
    """The machine's name, also for a rank that got another."""
    return os.environ.get(VARIABLE) or socket.gethostname()


def has_address() -> bool:
    """Whether one can listen on an address of the machine's own name."""
    try:
        found = socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return any(map(_can_be_bound, found))


def check() -> None:
    """Makes sure that ranks can be started.

    Raises:
      InputError: the machine's name has no address, and the ranks cannot get another name.
    """
    if not has_address() and not _can_be_changed():
        raise _no_address()


def ensure_address() -> None:
    """Gives this process another name where the machine's has no address.

    Raises:
      InputError: the system does not let us.
    """
    if has_address():
        return
    name = own()
    try:
        change_for_ranks()
    except OSError:
        raise _no_address() from None
    os.environ[VARIABLE] = name


def change_for_ranks() -> None:
    """Gives this process and those below it a name that has an address; for a child, before exec.

    Raises:
      OSError: the system does not let us.
    """
    if _LIBC is None:
        raise OSError("namespaces are Linux's")
    user, group = os.getuid(), os.getgid()
    if _LIBC.unshare(_CLONE_NEWUTS) != 0:
        # Who may not do that may do it as an administrator of a namespace of users.
        _call("unshare", _CLONE_NEWUTS | _CLONE_NEWUSER)
        for file, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            with open(f"/proc/self/{file}", "w") as target:
                target.write(text)
    _call("sethostname", _NAME_FOR_RANKS, len(_NAME_FOR_RANKS))


def _no_address() -> InputError:
    return InputError(
        f"several ranks need an address of this machine's name. Received: {own()!r}, which has "
        f"none that can be used; add the line '127.0.0.1 {own()}' to /etc/hosts, give the "
        "container a name that resolves (docker run --hostname), or set num_processes to 1"
    )


def _call(function: str, *arguments: int | bytes) -> None:
    if getattr(_LIBC, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


def _can_be_changed() -> bool:
    """Tries it in a child, since it holds for the process's whole life."""
    try:
        subprocess.run(["/bin/sh", "-c", ":"], preexec_fn=change_for_ranks, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def _can_be_bound(info: tuple) -> bool:
    family, kind, protocol, _, address = info
    try:
        with socket.socket(family, kind, protocol) as listener:
            listener.bind(address)
    except OSError:
        return False
    return True
