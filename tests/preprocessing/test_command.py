"""`python -m preprocessing`: the data path alone, and how it ends."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import small_disk
import tensorflow_transform as tft

from preprocessing import __main__ as command
from preprocessing import failures, features
from preprocessing.ingest.options import IngestOptions
from preprocessing.stage import dataset_manifest
from preprocessing.stage.options import StageOptions

ROOT = Path(__file__).resolve().parents[2]


def test_runs_alone_says_little_and_never_loads_tfx(small_corpus, tmp_path):
    code = (
        "import sys; from preprocessing.__main__ import main; status = main(sys.argv[1:]); "
        "assert not any(name.partition('.')[0] == 'tfx' for name in sys.modules); sys.exit(status)"
    )
    output = tmp_path / "out"
    done = subprocess.run(
        [
            *(sys.executable, "-W", "ignore", "-c", code, str(small_corpus), str(output)),
            *("--max_side_px", "16", "--direct_num_workers=1"),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert done.stderr == ""
    train, evaluation, every = done.stdout.splitlines()
    assert train.startswith("train: ")
    assert evaluation.startswith("eval: ")
    assert every == "all: 60 used + 0 in quarantine + 0 dropped duplicates = 60 files seen"
    rows = list(dataset_manifest.read_manifest(str(output / "dataset" / features.MANIFEST_FILE)))
    assert len(rows) == 60
    graph = tft.TFTransformOutput(str(output / "transform_graph"))
    assert graph.vocabulary_size_by_name(features.CLASS_VOCABULARY) == 2
    assert (output / "transform_graph" / features.STATISTICS_FILE).exists()


def test_beams_workers_do_not_take_a_persons_files_for_libraries(
    small_corpus, tmp_path, monkeypatch, capfd
):
    person = tmp_path / "person"
    person.mkdir()
    for name in ("random", "yaml", "preprocessing"):
        (person / f"{name}.py").write_text("raise SystemExit('taken for a library')\n")
    monkeypatch.chdir(person)
    small_corpus.rename("corpus")
    workers = ["--direct_running_mode=multi_processing", "--direct_num_workers=1"]
    assert command.main(["corpus", "out [1]*?", *workers]) == failures.DONE, capfd.readouterr().err
    assert "60 used" in capfd.readouterr().out
    assert Path.cwd() == person
    names = {path.name for path in (person / "out [1]*?").iterdir() if path.name[0] != "."}
    assert names >= {"source", "transform_graph", "dataset", "quarantine"}


def test_goes_on_after_a_failure_with_the_same_source_only(small_corpus, tmp_path, capfd):
    for number in range(5):
        (small_corpus / "a" / f"bad {number}.png").write_bytes(b"no picture")
    arguments = [str(small_corpus), str(tmp_path / "out")]
    assert command.main(arguments) == failures.BAD_INPUT
    shown = capfd.readouterr()
    [line] = shown.err.splitlines()
    assert line.startswith("python -m preprocessing: at most 1.00% of the images may be unusable")
    assert "5 of 65: 5 unknown format" in line
    assert shown.out == ""
    source = (tmp_path / "out" / "source").stat().st_mtime_ns
    assert command.main([*arguments, "--seed=7"]) == failures.BAD_INPUT
    assert "made with seed=0, not 7" in capfd.readouterr().err
    assert command.main([*arguments, "--max_bad_fraction=0.5"]) == failures.DONE
    assert "5 in quarantine" in capfd.readouterr().out
    assert (tmp_path / "out" / "source").stat().st_mtime_ns == source


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--background=nope"], "a colour must be"),
        (["--max_side_px=0"], "max_side_px: must be 8 or more. Received: 0"),
        (["--jpeg_quality=101"], "jpeg_quality: must be 100 or less. Received: 101"),
        (["--max_bad_fraction=-0.1"], "max_bad_fraction: must be"),
        (["--max_bad_fraction=some"], "max_bad_fraction: must be a number. Received: 'some'"),
        (["--on_duplicate=remove"], "on_duplicate: must be 'keep', 'drop' or 'fail'"),
        (["--eval_fraction=1"], "eval_fraction: must be less than 1"),
        (["--format=zip"], "format: must be 'auto', 'folder'"),
        (["--max_side=32"], "unknown argument '--max_side=32'; did you mean --max_side_px?"),
        (["--direct_num_wrokers=2"], "did you mean --direct_num_workers?"),
        (["--direct_num_workers=two"], "options of Beam: argument --direct_num_workers: invalid"),
        (["--max_sid_px=32", "--runner=PortableRunner"], "did you mean --max_side_px?"),
        (["--runner"], "--runner: expected one argument"),
        (["more"], "unknown argument 'more'"),
    ],
)
def test_wrong_arguments_are_one_line_and_write_nothing(
    small_corpus, tmp_path, capfd, options, message
):
    arguments = [str(small_corpus), str(tmp_path / "out"), *options]
    assert command.main(arguments) == failures.BAD_INPUT
    shown = capfd.readouterr()
    [line] = shown.err.splitlines()
    assert message in line
    assert shown.out == ""
    assert not (tmp_path / "out").exists()


def one_class(root):
    for path in (root / "b").iterdir():
        path.unlink()


def gone(root):
    root.rename(root.with_name("elsewhere"))


def a_file_as_output(root):
    root.with_name("out").write_text("mine")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (one_class, "at least two sub-folders"),
        (gone, "nothing there"),
        (a_file_as_output, "OUTPUT must be a folder"),
    ],
)
def test_wrong_input_is_one_line_and_leaves_nothing(small_corpus, tmp_path, capfd, change, message):
    change(small_corpus)
    before = sorted(path.name for path in tmp_path.iterdir())
    assert command.main([str(small_corpus), str(tmp_path / "out")]) == failures.BAD_INPUT
    shown = capfd.readouterr()
    [line] = shown.err.splitlines()
    assert message in line
    assert shown.out == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_step_that_fails_leaves_its_traceback_in_the_log(small_corpus, tmp_path, capfd):
    output = tmp_path / "out"
    (output / "source" / "index").mkdir(parents=True)
    (output / "source" / "index" / "index-00000-of-00001.jsonl").write_text("no JSON\n")
    assert command.main([str(small_corpus), str(output)]) == failures.STEP_FAILED
    [line] = capfd.readouterr().err.splitlines()
    assert line.endswith(f"; log: {output / command.LOG_FILE}")
    assert "Traceback" in (output / command.LOG_FILE).read_text()


def test_help_shows_every_setting_once_with_choices_bounds_and_default(capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(["--help"])
    assert ended.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    for name in {**IngestOptions.model_fields, **StageOptions.model_fields}.keys() - {"path"}:
        assert shown.count(f" --{name} VALUE ") == 1
    assert "[keep, drop, fail; default: keep]" in shown
    assert "--jpeg_quality VALUE Quality of re-encoded images" in shown
    assert "[whole number, at least 1, at most 100; default: 95]" in shown
    assert "exit status: 0 done" in shown


def test_options_are_written_down(small_corpus, tmp_path):
    output = tmp_path / "out"
    assert command.main([str(small_corpus), str(output), "--seed=3"]) == failures.DONE
    made_with = json.loads((output / command.OPTIONS_FILE).read_text())
    assert (made_with["path"], made_with["seed"]) == (str(small_corpus), 3)


@pytest.mark.parametrize("size_bytes", [40_000, 200_000])
def test_a_full_disk_is_one_line(small_corpus, tmp_path, size_bytes):
    disk = tmp_path / "disk"
    disk.mkdir()
    code = (
        "import os, pathlib, sys; sys.path.append(sys.argv[1]); import small_disk; "
        f"small_disk.mount(pathlib.Path(sys.argv[2]), {size_bytes}); "
        "os.execv(sys.executable, [sys.executable, '-m', 'preprocessing', *sys.argv[3:]])"
    )
    arguments = (str(ROOT / "tests"), str(disk), str(small_corpus), str(disk / "out"))
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=ROOT
    )
    if done.returncode == small_disk.NOT_ALLOWED:
        pytest.skip("this system lets processes have no disk of their own")
    assert (done.returncode, done.stdout) == (failures.STEP_FAILED, "")
    place = re.escape(f"no space left on tmpfs (mounted at {disk}) for {disk}")
    log = re.escape(str(disk / "out" / "preprocessing.log"))
    assert re.fullmatch(rf"python -m preprocessing: {place}/\S+; log: {log}\n", done.stderr)
