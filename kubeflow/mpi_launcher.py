"""What the launcher pod of an MPIJob runs: `python -m kubeflow.mpi_launcher`.

It waits until the workers can be reached, and becomes the supervisor of the training
(`trainer_module`), whose ranks `horovodrun` starts in the workers.
"""

import argparse
import os
import shlex
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from preprocessing.errors import InputError
from trainer_module import __main__ as trainer
from trainer_module.job import processes, rank_config

HOSTFILE = "/etc/mpi/hostfile"
POLL_SECS = 1.0
TELL_SECS = 30.0
_CONNECT_SECS = 5.0
# How the first line of a server of ssh begins.
_SSH = b"SSH-"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the training; returns its exit status."""
    parser = argparse.ArgumentParser(prog="kubeflow.mpi_launcher", description=__doc__)
    parser.add_argument("--config", required=True, help="settings of the training, as JSON")
    parser.add_argument("--keys", required=True, help="folder with the private key, id_rsa")
    parser.add_argument("--port", type=int, required=True, help="port of ssh in the workers")
    parser.add_argument("--hostfile", default=HOSTFILE, help="names of the workers")
    parser.add_argument(
        "--timeout_secs", type=float, required=True, help="time in which the workers must answer"
    )
    args = parser.parse_args(argv)
    try:
        return _run(args)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return processes.BAD_INPUT


def _run(args: argparse.Namespace) -> int:
    config = rank_config.parse(args.config, "--config")
    try:
        hosts = read_hostfile(Path(args.hostfile))
        wait_for(hosts, args.port, args.timeout_secs)
    except (OSError, TimeoutError) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return processes.FAILED
    with tempfile.TemporaryDirectory(prefix="mpi-launcher-") as folder:
        _put_ssh_first(Path(folder), Path(args.keys, "id_rsa"), args.port)
        return trainer.run(config.model_copy(update={"hostfile": args.hostfile}))


def _put_ssh_first(folder: Path, key: Path, port: int) -> None:
    """Makes `ssh`, as `horovodrun` starts it, one that knows the workers.

    `horovodrun` has no options for where the keys of hosts are kept (workers are new each time,
    and the home folder may be read-only) and for what ssh prints.

    Raises:
      InputError: there is no ssh.
    """
    program = shutil.which("ssh")
    if program is None:
        raise InputError("the image must have ssh: apt-get install openssh-client openssh-server")
    # ssh takes no key that others may read, as they may in a mounted secret.
    own_key = folder / "key"
    shutil.copyfile(key, own_key)
    own_key.chmod(0o600)
    options = f"-p {port} -i {shlex.quote(str(own_key))} -o UserKnownHostsFile=/dev/null"
    script = folder / "ssh"
    script.write_text(f'#!/bin/sh\nexec {program} {options} -o LogLevel=ERROR "$@"\n')
    script.chmod(0o755)
    os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"


def read_hostfile(path: Path) -> list[str]:
    """The names of the workers in a hostfile."""
    lines = [line.split("#")[0].split() for line in path.read_text().splitlines()]
    return [words[0] for words in lines if words]


def wait_for(
    hosts: Sequence[str],
    port: int,
    timeout_secs: float,
    tell: Callable[[str], None] = lambda text: print(text, flush=True),
) -> None:
    """Waits until a server of ssh answers on every host.

    Raises:
      TimeoutError: one does not within `timeout_secs`; the message says which, and why.
    """
    start = told = time.monotonic()
    missing = dict.fromkeys(hosts, "")
    while missing := {
        host: reason for host in missing if (reason := _no_answer(host, port)) is not None
    }:
        now = time.monotonic()
        host, reason = next(iter(missing.items()))
        text = f"{len(missing)} of {len(hosts)} workers do not answer yet: {host}:{port}, {reason}"
        if now - start > timeout_secs:
            raise TimeoutError(
                f"all workers must answer on ssh within {timeout_secs:g} s "
                f"(kubeflow.mpijob.ssh_timeout_secs). Received: {text}"
            )
        if now - told > TELL_SECS:
            tell(text)
            told = now
        time.sleep(POLL_SECS)


def _no_answer(host: str, port: int) -> str | None:
    """Why no server of ssh answers; None where one does."""
    try:
        with socket.create_connection((host, port), _CONNECT_SECS) as connection:
            connection.settimeout(_CONNECT_SECS)
            answer = connection.recv(len(_SSH))
    except OSError as error:
        return str(error)
    return None if answer == _SSH else f"something else than ssh answers: {answer!r}"


if __name__ == "__main__":
    processes.die_with_parent()
    sys.exit(main())
