from pathlib import Path

import pytest

from pipeline import beam_options, preflight
from pipeline.config import BeamConfig
from preprocessing.errors import InputError


def _files(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def test_counts_classes_and_files(tmp_path):
    _files(tmp_path, "a/1.png", "a/sub/2.png", "b/3.jpg", ".hidden/4.png", "b/.5.png", "loose.png")
    (tmp_path / "empty").mkdir()
    assert preflight.check_data(str(tmp_path)) == preflight.DataFolder(num_classes=2, num_files=3)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "with 0 such sub-folders"),
        (["a/1.png"], "with 1 such sub-folder"),
        (["1.png", "2.png"], "with 0 such sub-folders"),
    ],
)
def test_fewer_than_two_classes(tmp_path, names, message):
    _files(tmp_path, *names)
    with pytest.raises(InputError, match=message):
        preflight.check_data(str(tmp_path))


def test_missing_folder_and_file(tmp_path):
    with pytest.raises(InputError, match="nothing there"):
        preflight.check_data(str(tmp_path / "missing"))
    _files(tmp_path, "file")
    with pytest.raises(InputError, match="a file"):
        preflight.check_data(str(tmp_path / "file"))


def test_output_folder_that_is_a_file(tmp_path):
    _files(tmp_path, "file")
    with pytest.raises(InputError, match="--output_dir"):
        preflight.check_output_dir(tmp_path / "file" / "runs")
    preflight.check_output_dir(tmp_path / "new" / "runs")
    assert (tmp_path / "new" / "runs").is_dir()


def test_direct_runner_mode_follows_the_number_of_files():
    few, many = 10, beam_options.MULTI_PROCESSING_MIN_FILES
    config = BeamConfig(num_workers=3)
    assert "--direct_running_mode=in_memory" in beam_options.beam_args(config, few)
    assert beam_options.beam_args(config, many) == [
        "--runner=DirectRunner",
        "--direct_running_mode=multi_processing",
        "--direct_num_workers=3",
    ]
    fixed = BeamConfig(direct_running_mode="in_memory")
    assert "--direct_running_mode=in_memory" in beam_options.beam_args(fixed, many)


def test_other_runners_get_no_direct_options():
    config = BeamConfig(runner="PortableRunner", args=["--job_endpoint=localhost:8099"])
    assert beam_options.beam_args(config, 10) == [
        "--runner=PortableRunner",
        "--job_endpoint=localhost:8099",
    ]
