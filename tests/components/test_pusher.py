import os
from pathlib import Path

import pytest
from tfx.types import standard_artifacts

from components.pusher import executor


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
    push_dir = str(tmp_path / "serving")
    assert executor.push(str(model), push_dir, 1000) == 1000
    (model / "saved_model.pb").write_bytes(b"another graph")
    assert executor.push(str(model), push_dir, 1000) == 1001
    (model / "saved_model.pb").write_bytes(b"a third graph")
    assert executor.push(str(model), push_dir, 500) == 1002
    assert _names(tmp_path / "serving" / "1002") == _names(model)


def test_served_bytes_are_not_pushed_again_but_older_ones_are(tmp_path, model):
    push_dir = str(tmp_path / "serving")
    assert executor.push(str(model), push_dir, 1000) == 1000
    assert executor.push(str(model), push_dir, 2000) == 1000
    first = (model / "saved_model.pb").read_bytes()
    (model / "saved_model.pb").write_bytes(b"another graph")
    assert executor.push(str(model), push_dir, 3000) == 3000
    (model / "saved_model.pb").write_bytes(first)
    assert executor.push(str(model), push_dir, 4000) == 4000


def test_failed_copy_leaves_no_version(tmp_path, model):
    push_dir = tmp_path / "serving"
    assert executor.push(str(model), str(push_dir), 1000) == 1000
    (model / "saved_model.pb").write_bytes(b"another graph")
    # A file that is a dead link cannot be copied: the push ends in the middle.
    os.symlink(tmp_path / "missing", model / "variables" / "variables.data")
    with pytest.raises(Exception):  # noqa: B017, PT011  (which one is the file system's business)
        executor.push(str(model), str(push_dir), 2000)
    assert [name for name in os.listdir(push_dir) if name.isdigit()] == ["1000"]


def test_copies_left_behind_are_removed_after_a_day(tmp_path, model):
    push_dir = tmp_path / "serving"
    (push_dir / ".pushing-1000-abc").mkdir(parents=True)
    (push_dir / ".pushing-99000-def").mkdir()
    executor.push(str(model), str(push_dir), 100_000)
    assert sorted(os.listdir(push_dir)) == [".pushing-99000-def", "100000"]


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
