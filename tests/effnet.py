"""The command `effnet` in processes of their own."""

import subprocess
import sys
from pathlib import Path

import fresh_process

from pipeline import cli

# Says what a command that was refused has loaded, since that takes a person's time.
_WITHOUT_TENSORFLOW = """
import sys
from pipeline import cli
status = cli.main(sys.argv[1:])
assert "tensorflow" not in sys.modules
sys.exit(status)
"""
TIMEOUT_SECS = 240


def effnet(*arguments: object, cwd: Path) -> fresh_process.Done:
    """Runs the command in a process that has its libraries loaded."""
    return fresh_process.run(cli.main, list(map(str, arguments)), cwd=cwd)


def effnet_in_new_interpreter(
    *arguments: object, cwd: Path, stdin: bytes = b""
) -> subprocess.CompletedProcess:
    """Runs the command as a shell does, with all that is printed at imports."""
    return _run(["-m", "pipeline.cli"], arguments, cwd, stdin)


def effnet_without_tensorflow(*arguments: object, cwd: Path) -> subprocess.CompletedProcess:
    """Runs the command as a shell does; its status is 1 where it loads TensorFlow."""
    return _run(["-c", _WITHOUT_TENSORFLOW], arguments, cwd)


def _run(program: list[str], arguments: tuple[object, ...], cwd: Path, stdin: bytes = b""):
    command = [sys.executable, *program, *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, input=stdin, timeout=TIMEOUT_SECS)
    out, err = done.stdout.decode(), done.stderr.decode()
    return subprocess.CompletedProcess(command, done.returncode, out, err)
