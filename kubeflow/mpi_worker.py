"""What a worker pod of an MPIJob runs: `python -m kubeflow.mpi_worker`.

It is sshd, by which `horovodrun` starts ranks in the pod, on a port and with files that need no
root. A pod that is to go (an eviction, a deletion) gets SIGTERM: sshd would end at once, and the
ranks with it. Here they are asked for a checkpoint first.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from preprocessing import command_line, failures
from preprocessing.errors import InputError
from trainer_module.job import heartbeat, processes
from trainer_module.job.processes import StopSignals

SSHD = "/usr/sbin/sshd"
POLL_SECS = 0.5
# Where sshd that runs as root keeps an empty folder.
_PRIVILEGE_SEPARATION = Path("/run/sshd")
_CONFIG = """\
Port {port}
ListenAddress {address}
HostKey {folder}/host_key
AuthorizedKeysFile {keys}/authorized_keys
# The keys are a mounted secret, which belongs to root and which all may read.
StrictModes no
PidFile none
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowTcpForwarding no
X11Forwarding no
# horovodrun connects once for each rank, all at the same time.
MaxStartups 1000
LogLevel ERROR
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Serves ranks until a stop is asked for; returns the exit status."""
    parser = argparse.ArgumentParser(prog="kubeflow.mpi_worker", description=__doc__)
    parser.add_argument("--model_dir", required=True, help="folder of the training")
    parser.add_argument("--keys", required=True, help="folder with authorized_keys")
    parser.add_argument("--port", type=int, required=True, help="where sshd listens")
    parser.add_argument("--address", default="0.0.0.0", help="where sshd listens")
    parser.add_argument(
        "--variables", nargs="*", default=[], help="variables of this pod that ranks get as well"
    )
    args = parser.parse_args(argv)
    return command_line.run_command("kubeflow.mpi_worker", lambda: _serve(args))


def _serve(args: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="mpi-worker-") as folder, StopSignals() as stop:
        sshd = _start_sshd(args, Path(folder))
        while not stop.count:
            _collect_ended()
            if not psutil.pid_exists(sshd):
                raise RuntimeError("sshd ended; its last lines say why")
            time.sleep(POLL_SECS)
        _end_ranks(args.model_dir)
        os.kill(sshd, signal.SIGTERM)
    return failures.DONE


def _start_sshd(args: argparse.Namespace, folder: Path) -> int:
    """Starts sshd; returns its process's number."""
    if os.getuid() == 0:
        _PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
    keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "host_key")]
    subprocess.run(keygen, check=True, stdin=subprocess.DEVNULL)
    config = folder / "sshd_config"
    text = _CONFIG.format(port=args.port, address=args.address, folder=folder, keys=args.keys)
    config.write_text(text + variables({name: os.environ.get(name, "") for name in args.variables}))
    config.chmod(0o600)
    # Not waited for through its object: a container's first process inherits children whose parent
    # is gone, so all are waited for in one place.
    return processes.start_child([SSHD, "-D", "-e", "-f", str(config)]).pid


def variables(values: Mapping[str, str]) -> str:
    """The line of sshd's configuration that gives variables to ranks.

    Raises:
      InputError: a value has several lines.
    """
    for name, value in values.items():
        if "\n" in value:
            raise InputError(
                f"variable {name}: its value must be one line to reach the ranks; give the secret "
                "a path instead, so that it is a file"
            )
    quoted = [
        '"{}={}"'.format(name, value.replace("\\", "\\\\").replace('"', '\\"'))
        for name, value in values.items()
    ]
    return f"SetEnv {' '.join(quoted)}\n" if quoted else ""


def _end_ranks(model_dir: str) -> None:
    """Asks the ranks in this pod for a checkpoint, and waits until they have ended."""
    deadline = time.monotonic() + processes.STOP_TIMEOUT_SECS
    asked: set[int] = set()
    while ranks := _ranks(model_dir):
        for rank in ranks:
            if rank.pid not in asked:
                rank.terminate()
                asked.add(rank.pid)
        if time.monotonic() > deadline:
            return
        _collect_ended()
        time.sleep(POLL_SECS)


def _ranks(model_dir: str) -> list[psutil.Process]:
    found = [report.process() for report in heartbeat.read_all(model_dir) if report.status is None]
    return [process for process in found if process]


def _collect_ended() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


if __name__ == "__main__":
    sys.exit(main())
