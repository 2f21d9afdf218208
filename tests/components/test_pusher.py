import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tfx.types import standard_artifacts

from components import saved_models
from components.pusher import executor, push_dir


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model" / "Format-Serving"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    return folder


def _names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_versions_are_the_second_and_always_grow(tmp_path, model):
    served = str(tmp_path / "serving")
    assert executor.push(str(model), served, 1000) == 1000
    (model / "saved_model.pb").write_bytes(b"another graph")
    assert executor.push(str(model), served, 1000) == 1001
    (model / "saved_model.pb").write_bytes(b"a third graph")
    assert executor.push(str(model), served, 500) == 1002
    assert _names(tmp_path / "serving" / "1002") == _names(model)


def test_served_bytes_are_not_pushed_again_but_older_ones_are(tmp_path, model):
    served = str(tmp_path / "serving")
    assert executor.push(str(model), served, 1000) == 1000
    assert executor.push(str(model), served, 2000) == 1000
    first = (model / "saved_model.pb").read_bytes()
    (model / "saved_model.pb").write_bytes(b"another graph")
    assert executor.push(str(model), served, 3000) == 3000
    (model / "saved_model.pb").write_bytes(first)
    assert executor.push(str(model), served, 4000) == 4000


def test_failed_copy_leaves_no_version(tmp_path, model):
    served = tmp_path / "serving"
    assert executor.push(str(model), str(served), 1000) == 1000
    (model / "saved_model.pb").write_bytes(b"another graph")
    # A file that is a dead link cannot be copied.
    os.symlink(tmp_path / "missing", model / "variables" / "variables.data")
    with pytest.raises(executor.PushError, match="What was served before still is"):
        executor.push(str(model), str(served), 2000)
    assert sorted(os.listdir(served)) == [".push.lock", "1000"]


def test_copies_left_behind_are_removed_at_once(tmp_path, model):
    served = tmp_path / "serving"
    (served / ".pushing-1000-abc").mkdir(parents=True)
    (served / ".pushing-99000-def").mkdir()
    executor.push(str(model), str(served), 100_000)
    assert sorted(os.listdir(served)) == [".push.lock", "100000"]


def _is_waited_for(path: Path) -> bool:
    """Whether somebody waits for the lock of a file."""
    inode = path.stat().st_ino
    locks = Path("/proc/locks").read_text().splitlines()
    return any("->" in line and f":{inode} " in line for line in locks)


def test_a_push_waits_for_another_one(tmp_path, model):
    served = tmp_path / "serving"
    served.mkdir()
    pool = ThreadPoolExecutor(1)
    with push_dir.locked(str(served)) as alone:
        assert alone
        waiting = pool.submit(executor.push, str(model), str(served), 1000)
        while not _is_waited_for(served / ".push.lock"):
            assert not waiting.done()
            time.sleep(0.001)
        assert os.listdir(served) == [".push.lock"]
    assert waiting.result(timeout=10) == 1000


@pytest.mark.parametrize(("gate", "serving"), [(1, 0), (0, 1), (0, 0)])
def test_both_blessings_are_needed(tmp_path, model, artifact, gate, serving):
    blessing = artifact(standard_artifacts.ModelBlessing, tmp_path / "gate")
    blessing.set_int_custom_property("blessed", gate)
    infra = artifact(standard_artifacts.InfraBlessing, tmp_path / "serving_check")
    infra.set_int_custom_property("blessed", serving)
    pushed = artifact(standard_artifacts.PushedModel, tmp_path / "pushed")
    inputs = {
        "model": [artifact(standard_artifacts.Model, model.parent)],
        "model_blessing": [blessing],
        "infra_blessing": [infra],
    }
    properties = {"push_dir": str(tmp_path / "served")}
    executor.Executor().Do(inputs, {"pushed_model": [pushed]}, properties)
    assert pushed.get_int_custom_property("pushed") == 0
    assert not (tmp_path / "served").exists()

    blessing.set_int_custom_property("blessed", 1)
    infra.set_int_custom_property("blessed", 1)
    executor.Executor().Do(inputs, {"pushed_model": [pushed]}, properties)
    destination = Path(pushed.get_string_custom_property("pushed_destination"))
    assert destination.parent == tmp_path / "served"
    assert _names(destination) == _names(model) == _names(tmp_path / "pushed")


# For every folder on its input: a process that pushes two models in turns until it is killed.
PUSH_FOR_EVER = """
import itertools, os, sys
from components.pusher.executor import push
for line in sys.stdin:
    child = os.fork()
    if not child:
        for number in itertools.count():
            push(sys.argv[1 + number % 2], line.strip(), 1000)
    print(child, flush=True)
    os.waitpid(child, 0)
"""


# Files that the copy has when the process is killed, of 21.
COPIED_FILES = (1, 4, 7, 10, 13, 16, 19, 21)


def _num_copied(folder: Path) -> int:
    """Files of a version that is being made."""
    copies = folder.glob(".pushing-*")
    return sum(len(names) for copy in copies for _, _, names in os.walk(copy))


def _large_models(folder: Path) -> list[Path]:
    """Two models whose copies take a while."""
    models = [folder / "one", folder / "other"]
    for index, path in enumerate(models):
        (path / "variables").mkdir(parents=True)
        (path / "saved_model.pb").write_bytes(bytes([index]) * 4_000_000)
        for number in range(20):
            (path / "variables" / str(number)).write_bytes(bytes([index]) * 100_000)
    return models


def test_a_push_killed_at_any_moment_leaves_whole_versions_and_the_next_one_works(tmp_path):
    models = _large_models(tmp_path)
    digests = {saved_models.content_digest(str(model)) for model in models}
    (tmp_path / "third").mkdir()
    pusher = subprocess.Popen(
        [sys.executable, "-c", PUSH_FOR_EVER, *map(str, models)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    left_behind = 0
    for number, num_copied in enumerate(COPIED_FILES):
        folder = tmp_path / f"serving{number}"
        pusher.stdin.write(f"{folder}\n")
        pusher.stdin.flush()
        child = int(pusher.stdout.readline())
        while len(saved_models.versions(str(folder))) < 2 or _num_copied(folder) < num_copied:
            time.sleep(0.001)
        os.kill(child, signal.SIGKILL)
        left_behind += _check_after_a_kill(folder, digests, child)
        version = max(saved_models.versions(str(folder)))
        (tmp_path / "third" / "saved_model.pb").write_bytes(os.urandom(1000))
        assert executor.push(str(tmp_path / "third"), str(folder), 1000) == version + 1
        assert not [name for name in os.listdir(folder) if name.startswith(".pushing-")]
    pusher.communicate()
    assert left_behind, "no push was killed in its middle: nothing was tested"


def _check_after_a_kill(folder: Path, digests: set[str], child: int) -> int:
    """Versions are whole and follow each other; returns how many copies were left behind."""
    while Path(f"/proc/{child}").exists():  # until its parent has noticed
        time.sleep(0.01)
    names = os.listdir(folder)
    served = sorted(int(name) for name in names if name.isdigit())
    assert served == list(range(1000, 1000 + len(served)))
    for version in served:
        assert saved_models.content_digest(str(folder / str(version))) in digests
    return sum(name.startswith(".pushing-") for name in names)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("a full disk needs `mount`, which is not installed")
    if done.returncode != 0:
        pytest.skip(f"a full disk needs the right to mount one: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("known_before", [True, False])
def test_a_full_disk_is_told_and_leaves_what_was_served(
    model, small_disk, known_before, monkeypatch
):
    served = small_disk / "serving"
    assert executor.push(str(model), str(served), 1000) == 1000
    if known_before:
        (model / "saved_model.pb").write_bytes(bytes(2_000_000))
        message = r"the model has 2\.0 MB, and [0-9.]+ MB are free"
    else:
        # The disk fills up after the look at it.
        (model / "saved_model.pb").write_bytes(bytes(600_000))
        (model / "variables" / "data").write_bytes(bytes(600_000))
        monkeypatch.setattr(push_dir, "check_room", lambda model, path: None)
        message = "(?i)no space left|not the same"
    with pytest.raises(executor.PushError, match=message):
        executor.push(str(model), str(served), 2000)
    assert sorted(os.listdir(served)) == [".push.lock", "1000"]
    assert (served / "1000" / "saved_model.pb").read_bytes() == b"graph"
    # With room again, the same push works.
    (model / "saved_model.pb").write_bytes(b"another graph")
    (model / "variables" / "data").unlink(missing_ok=True)
    assert executor.push(str(model), str(served), 2000) == 2000
