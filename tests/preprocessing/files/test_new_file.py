"""Files appear whole, and locks end with their holder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from preprocessing.files import locks
from preprocessing.files.new_file import new_file, remove_unfinished, write_text


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "file"
    write_text(path, "old")
    with new_file(path, durable=True) as temporary:
        temporary.write_text("half")
        assert path.read_text() == "old"
        assert [name for name in os.listdir(tmp_path) if not name.startswith(".")] == ["file"]
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["file"]


def test_an_error_leaves_what_was_there(tmp_path):
    path = tmp_path / "file"
    write_text(path, "old")

    def fail_half_way():
        with new_file(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert (os.listdir(tmp_path), path.read_text()) == (["file"], "old")


def test_two_writers_of_one_file_do_not_disturb_each_other(tmp_path):
    path = tmp_path / "file"
    with new_file(path) as one, new_file(path) as other:
        one.write_text("1")
        other.write_text("2")
    assert (os.listdir(tmp_path), path.read_text()) == (["file"], "1")


def test_what_a_killed_writer_left_can_be_removed(tmp_path):
    script = (
        "import os, sys\nfrom preprocessing.files.new_file import new_file\n"
        "with new_file(sys.argv[1]) as t:\n    t.write_text('half')\n    os.kill(os.getpid(), 9)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    arguments = [sys.executable, "-c", script, str(tmp_path / "file")]
    assert subprocess.run(arguments, env=environment, check=False).returncode == -9
    write_text(tmp_path / ".other", "stays")
    assert len(os.listdir(tmp_path)) == 2
    remove_unfinished(tmp_path)
    assert os.listdir(tmp_path) == [".other"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_one_holds_a_lock_and_many_share_it(tmp_path, kind):
    path = tmp_path / "lock"
    path.touch() if kind == "file" else path.mkdir()
    first, second, third = (os.open(path, os.O_RDONLY) for _ in range(3))
    assert locks.lock(first)
    assert not locks.lock(second)
    assert not locks.lock(second, shared=True)
    os.close(first)
    assert locks.lock(second, shared=True)
    assert locks.lock(third, shared=True)
    assert not locks.lock(third)
    os.close(second)
    assert locks.lock(third, wait=True)
    os.close(third)


def test_a_file_that_is_no_lock_is_told_as_such(tmp_path):
    read, write = os.pipe()
    os.close(write)
    os.close(read)
    with pytest.raises(locks.NoLocksError):
        locks.lock(read)
