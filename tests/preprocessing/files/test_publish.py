"""Staging folders: published whole, removed when their owner is gone, left alone when not."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from preprocessing.files import publish

ROOT = Path(__file__).resolve().parents[3]
# Writes half a dataset, says so, and waits to be killed.
HALF = """
import sys
from preprocessing.files import publish
with publish.staged(sys.argv[1]) as staging:
    (staging / "half").write_text("a")
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def half_writer(tmp_path):
    """A process that is in the middle of writing `out/one`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HALF, str(tmp_path / "out" / "one")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate()


def names(folder):
    return sorted(os.listdir(folder))


def test_appears_by_one_rename(tmp_path):
    target = tmp_path / "out" / "one"
    with publish.staged(str(target)) as staging:
        (staging / "file").write_text("x")
        assert not target.exists()
        (hidden,) = names(tmp_path / "out")
        assert hidden.startswith(".one.")
    assert names(tmp_path / "out") == ["one"]
    assert (target / "file").read_text() == "x"
    assert target.stat().st_mode & 0o777 == 0o755


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path, half_writer):
    half_writer.send_signal(signal.SIGKILL)
    half_writer.wait()
    (left,) = names(tmp_path / "out")
    assert left.startswith(".one.")
    with publish.staged(str(tmp_path / "out" / "two")):
        (mine,) = names(tmp_path / "out")
        assert mine != left
    assert names(tmp_path / "out") == ["two"]


def test_what_a_living_run_writes_is_left_alone(tmp_path, half_writer):
    (others,) = names(tmp_path / "out")
    with publish.staged(str(tmp_path / "out" / "two")):
        assert others in names(tmp_path / "out")
    assert publish.remove_abandoned(tmp_path / "out") == []
    assert names(tmp_path / "out") == sorted([others, "two"])
    half_writer.communicate("", timeout=10)  # goes on, and publishes
    assert half_writer.returncode == 0
    assert names(tmp_path / "out") == ["one", "two"]


def test_other_hidden_folders_are_left_alone(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".staging").mkdir()
    with publish.scratch_folder(tmp_path, "temp") as folder:
        (folder / "x").write_text("x")
    assert names(tmp_path) == [".git", ".staging"]


def fail_after_writing(folder):
    with publish.staged(str(folder)) as staging:
        (staging / "x").write_text("x")
        raise RuntimeError("in the middle")


def test_an_error_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError, match="in the middle"):
        fail_after_writing(tmp_path / "out" / "one")
    assert names(tmp_path / "out") == []
