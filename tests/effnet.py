"""The command `effnet` in processes of their own."""

import functools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import fresh_process

from pipeline import cli

# What a command that was refused has loaded takes a person's time. A new interpreter, with what the
# command line itself imports, is forked for each command: it says so of each, and starts once.
_WITHOUT_TENSORFLOW = """
import json, os, sys
from pipeline import cli
assert "tensorflow" not in sys.modules
for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if not child:
        os.chdir(order["cwd"])
        for descriptor in (1, 2):
            os.dup2(os.open(order["files"][descriptor - 1], os.O_WRONLY | os.O_CREAT), descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        status = cli.main(order["arguments"])
        assert "tensorflow" not in sys.modules
        sys.stdout.flush()
        os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
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


@functools.cache
def _light_interpreter() -> subprocess.Popen:
    command = [sys.executable, "-c", _WITHOUT_TENSORFLOW]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def effnet_without_tensorflow(*arguments: object, cwd: Path) -> subprocess.CompletedProcess:
    """Runs the command as a shell does; its status is 1 where it loads TensorFlow."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("stdout", "stderr")]
        command = [*map(str, arguments)]
        order = {"cwd": str(cwd), "files": [*map(str, files)], "arguments": command}
        interpreter = _light_interpreter()
        interpreter.stdin.write(f"{json.dumps(order)}\n")
        interpreter.stdin.flush()
        status = int(interpreter.stdout.readline())
        out, err = (path.read_text("utf-8") if path.exists() else "" for path in files)
    return subprocess.CompletedProcess(command, status, out, err)


def _run(program: list[str], arguments: tuple[object, ...], cwd: Path, stdin: bytes = b""):
    command = [sys.executable, *program, *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, input=stdin, timeout=TIMEOUT_SECS)
    out, err = done.stdout.decode(), done.stderr.decode()
    return subprocess.CompletedProcess(command, done.returncode, out, err)
