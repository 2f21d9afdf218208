"""A test that hangs fails by its name, and the others run."""

import os
import re
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent
HANGING = """
import ctypes, threading

def test_in_python():
    threading.Event().wait()

def test_in_c():
    ctypes.CDLL(None).pause()

def test_in_c_with_the_lock():
    ctypes.PyDLL(None).pause()

def test_well():
    pass
"""


def test_a_test_that_hangs_anywhere_fails_and_the_others_run(tmp_path):
    (tmp_path / "test_hanging.py").write_text(HANGING)
    settings = ["-c", str(TESTS.parent / "pyproject.toml"), "-p", "deadlines", "--timeout", "3"]
    command = [sys.executable, "-m", "pytest", *settings, "-n", "2", "-rf", str(tmp_path)]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(TESTS), "PYTEST_ADDOPTS": "-p no:cacheprovider"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1, done.stderr
    failed = re.findall(r"^FAILED .*::(\w+)", done.stdout, re.MULTILINE)
    assert sorted(failed) == ["test_in_c", "test_in_c_with_the_lock", "test_in_python"]
    assert done.stdout.splitlines()[-1].startswith("3 failed, 1 passed")
    # A stack says where it hung. Two workers write at the same time, so some may be mixed up.
    assert any(f"in {name}" in done.stderr for name in failed)
