"""`python -m preprocessing`: the data path alone."""

import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow_transform as tft

from preprocessing import __main__ as command
from preprocessing import features
from preprocessing.stage import dataset_manifest

ROOT = Path(__file__).resolve().parents[2]


def test_runs_alone_and_never_loads_tfx(small_corpus, tmp_path):
    code = (
        "import sys; from preprocessing.__main__ import main; status = main(sys.argv[1:]); "
        "assert not any(name.partition('.')[0] == 'tfx' for name in sys.modules); sys.exit(status)"
    )
    output = tmp_path / "out"
    done = subprocess.run(
        [
            *(sys.executable, "-W", "ignore", "-c", code, str(small_corpus), str(output)),
            *("--max_side_px=16", "--direct_num_workers=1"),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == (
        "all: 60 used + 0 in quarantine + 0 dropped duplicates = 60 files seen"
    )
    rows = list(dataset_manifest.read_manifest(str(output / "dataset" / features.MANIFEST_FILE)))
    assert len(rows) == 60
    graph = tft.TFTransformOutput(str(output / "transform_graph"))
    assert graph.vocabulary_size_by_name(features.CLASS_VOCABULARY) == 2
    assert (output / "transform_graph" / features.STATISTICS_FILE).exists()


def test_goes_on_after_a_failure(small_corpus, tmp_path, capsys):
    for number in range(5):
        (small_corpus / "a" / f"bad {number}.png").write_bytes(b"no picture")
    arguments = [str(small_corpus), str(tmp_path / "out")]
    assert command.main(arguments) == command.BAD_INPUT
    assert "5 of 65 (5 unknown format)" in capsys.readouterr().err
    source = (tmp_path / "out" / "source").stat().st_mtime_ns
    assert command.main([*arguments, "--max_bad_fraction=0.5"]) == 0
    assert "5 in quarantine" in capsys.readouterr().out
    assert (tmp_path / "out" / "source").stat().st_mtime_ns == source


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--background=nope", "a colour must be"),
        ("--max_side_px=0", "max_side_px must be from 1 to inf"),
        ("--jpeg_quality=101", "jpeg_quality must be from 1 to 100. Received: 101"),
        ("--max_bad_fraction=-0.1", "max_bad_fraction must be"),
    ],
)
def test_wrong_values_are_refused(small_corpus, tmp_path, capsys, option, message):
    arguments = [str(small_corpus), str(tmp_path / "out"), option]
    assert command.main(arguments) == command.BAD_INPUT
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
