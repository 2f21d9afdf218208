from pathlib import Path

import pytest
from tfx.orchestration.portable import data_types
from tfx.types import standard_artifacts

from components import saved_models
from components.latest_blessed_model import driver, executor
from components.pusher.executor import push


def _write(folder: Path, content: bytes) -> Path:
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(content)
    return folder


@pytest.fixture
def models(tmp_path, artifact):
    """Artifacts of the models A and B."""
    for name in ("a", "b"):
        _write(tmp_path / name / "Format-Serving", name.encode())
    return {n: artifact(standard_artifacts.Model, tmp_path / n) for n in ("a", "b")}


def _choose(model, push_dir: Path) -> str:
    """What the driver puts into the cache key."""
    info = data_types.ExecutionInfo(
        input_dict={"model": [model]}, exec_properties={"push_dir": str(push_dir)}
    )
    result = driver.Driver(None).run(info)
    return result.exec_properties["baseline"].string_value


def _push(model, push_dir: Path, now_secs: int) -> int:
    return push(saved_models.of_artifact([model]), str(push_dir), now_secs)


def test_repeating_a_run_after_its_push_changes_nothing(tmp_path, models):
    before = _choose(models["a"], tmp_path / "served")
    assert before == executor.NO_BASELINE
    _push(models["a"], tmp_path / "served", 1000)
    assert _choose(models["a"], tmp_path / "served") == before


def test_going_back_to_an_older_model_is_judged_and_pushed_again(tmp_path, models):
    served = tmp_path / "served"
    _push(models["a"], served, 1000)
    first_of_b = _choose(models["b"], served)
    assert first_of_b.startswith("1000:")
    _push(models["b"], served, 2000)
    assert _choose(models["b"], served) == first_of_b  # repeated: cached
    assert _choose(models["a"], served).startswith("2000:")  # not cached: pushed again
    _push(models["a"], served, 3000)
    # The content is what B was compared with before, yet B has to be pushed again.
    assert _choose(models["b"], served).startswith("3000:")


def test_half_a_model_and_other_names_are_no_versions(tmp_path, models):
    served = tmp_path / "served"
    _write(served / "1000", b"x")
    (served / "2000").mkdir()
    _write(served / ".pushing-3000-abc", b"y")
    _write(served / "notes", b"z")
    assert saved_models.versions(str(served)) == [1000]
    assert _choose(models["a"], served).startswith("1000:")


@pytest.mark.parametrize("with_driver", [True, False])
def test_baseline_is_copied(tmp_path, models, artifact, with_driver):
    served = tmp_path / "served"
    _push(models["b"], served, 1000)
    output = artifact(standard_artifacts.Model, tmp_path / "out")
    properties = {"push_dir": str(served)}
    if with_driver:
        properties["baseline"] = _choose(models["a"], served)
    executor.Executor().Do({"model": [models["a"]]}, {"baseline_model": [output]}, properties)
    assert Path(saved_models.of_artifact([output]), "saved_model.pb").read_bytes() == b"b"
    assert output.get_string_custom_property("version") == "1000"


def test_no_baseline_is_an_artifact_without_a_model(tmp_path, models, artifact):
    output = artifact(standard_artifacts.Model, tmp_path / "out")
    properties = {"push_dir": str(tmp_path / "served")}
    executor.Executor().Do({"model": [models["a"]]}, {"baseline_model": [output]}, properties)
    assert saved_models.of_artifact([output]) is None
    assert list((tmp_path / "out").iterdir())  # an empty folder would get lost on a cluster


def test_digest_sees_names_and_bytes(tmp_path):
    one = _write(tmp_path / "one", b"x")
    two = _write(tmp_path / "two", b"x")
    assert saved_models.content_digest(str(one)) == saved_models.content_digest(str(two))
    (two / "saved_model.pb").rename(two / "other.pb")
    assert saved_models.content_digest(str(one)) != saved_models.content_digest(str(two))
