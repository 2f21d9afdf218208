from pathlib import Path

import pytest
from tfx.utils import dependency_utils

from pipeline import beam_options, preflight
from pipeline.config import BeamConfig, PipelineConfig
from preprocessing.errors import InputError


def _files(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def _check(path, **data):
    data = {"path": str(path), **data}
    return preflight.check_data(
        PipelineConfig.model_validate({"data": data, "evaluation": {"min_top_1": 0.5}})
    )


def test_counts_classes_and_images(tmp_path):
    _files(tmp_path, "a/1.png", "a/2.png", "b/3.jpg", ".hidden/4.png", "b/.5.png", "loose.png")
    (tmp_path / "empty").mkdir()
    survey = _check(tmp_path)
    assert (survey.num_images, survey.num_classes) == (3, 2)
    assert str(survey) == "3 images in 2 classes"


@pytest.mark.parametrize("names", [[], ["a/1.png"], ["1.png", "2.png"]])
def test_fewer_than_two_classes(tmp_path, names):
    _files(tmp_path, *names)
    with pytest.raises(InputError, match="at least two sub-folders with images"):
        _check(tmp_path)


def test_missing_folder_and_file(tmp_path):
    with pytest.raises(InputError, match="nothing there"):
        _check(tmp_path / "missing")
    _files(tmp_path, "file")
    with pytest.raises(InputError, match=r"data\.format must be set.*none of them"):
        _check(tmp_path / "file")
    with pytest.raises(InputError, match="must not be empty"):
        _check("")


def test_the_newest_span_is_looked_at(tmp_path):
    _files(tmp_path, "7/a/1.png", "7/b/1.png", "12/a/1.png", "12/b/1.png", "12/c/1.png")
    assert _check(tmp_path / "{SPAN}").num_classes == 3
    assert _check(tmp_path / "{SPAN}", span=7).num_classes == 2
    with pytest.raises(InputError, match=r"span 8"):
        _check(tmp_path / "{SPAN}", span=8)


def test_output_folder_that_is_a_file(tmp_path):
    _files(tmp_path, "file")
    with pytest.raises(InputError, match="--output_dir"):
        preflight.check_output_dir(tmp_path / "file" / "runs")
    preflight.check_output_dir(tmp_path / "new" / "runs")
    assert (tmp_path / "new" / "runs").is_dir()


def test_direct_runner_mode_follows_the_number_of_images():
    few, many = 10, beam_options.MULTI_PROCESSING_MIN_IMAGES
    config = BeamConfig(num_workers=3)
    assert "--direct_running_mode=in_memory" in beam_options.beam_args(config, few)
    assert beam_options.beam_args(config, many)[:3] == [
        "--runner=DirectRunner",
        "--direct_running_mode=multi_processing",
        "--direct_num_workers=3",
    ]
    fixed = BeamConfig(direct_running_mode="in_memory")
    assert "--direct_running_mode=in_memory" in beam_options.beam_args(fixed, many)


def test_workers_of_the_direct_runner_are_sent_no_package():
    args = beam_options.beam_args(BeamConfig(), 10)
    assert dependency_utils.make_beam_dependency_flags(args) == args


def test_other_runners_get_no_direct_options():
    config = BeamConfig(runner="PortableRunner", args=["--job_endpoint=localhost:8099"])
    assert beam_options.beam_args(config, 10) == [
        "--runner=PortableRunner",
        "--job_endpoint=localhost:8099",
    ]


def _check_columns(path: Path, *columns: str) -> None:
    evaluation = {"min_top_1": 0.5, "slice_columns": list(columns)}
    values = {"data": {"path": str(path)}, "evaluation": evaluation}
    preflight.check_data(PipelineConfig.model_validate(values))


def test_a_corpus_of_which_nothing_can_be_used_is_refused_before_anything_runs(tmp_path):
    rows = [f"~/pictures/{n}.png,{'ab'[n % 2]}" for n in range(9)]
    (tmp_path / "images.csv").write_text("\n".join(["path,label", *rows]))
    with pytest.raises(InputError) as caught:
        _check(tmp_path / "images.csv")
    for part in ("9 images", "none can be used: 9 unreadable file", "8.png", "only a shell"):
        assert (part in str(caught.value)) == (part != "8.png")  # three names are enough
    _files(tmp_path, "there.png")
    with open(tmp_path / "images.csv", "a") as file:
        file.write("\nthere.png,a\n")
    survey = _check(tmp_path / "images.csv")
    assert (survey.num_images, survey.problems.total) == (10, 9)


def test_notes_of_the_corpus(tmp_path):
    _files(tmp_path, "a/deep/1.png", "a/.DS_Store", "b/1.png")
    notes = _check(tmp_path).notes
    assert any("up to 1 levels of folders" in note for note in notes)
    assert any("were skipped (a/.DS_Store)" in note for note in notes)
    with pytest.raises(InputError, match=r"data\.nested"):
        _check(tmp_path, nested="refuse")


def test_columns_to_slice_by_are_looked_for_before_anything_runs(tmp_path):
    _files(tmp_path / "folder", "a/1.png", "b/2.png")
    manifest = tmp_path / "images.csv"
    rows = ["path,label,camera,note", "folder/a/1.png,a,,", "folder/b/2.png,b,phone,"]
    manifest.write_text("\n".join(rows) + "\n")
    _check_columns(manifest, "camera")
    with pytest.raises(InputError, match=r"lens, note; there are: camera$"):
        _check_columns(manifest, "camera", "lens", "note")  # no image has a note
    with pytest.raises(InputError, match="Received: camera; there are: none"):
        _check_columns(tmp_path / "folder", "camera")
