"""`effnet runs` and `effnet lineage` on small real runs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from made_runs import MadeRuns, corpus

from lineage.record import files
from pipeline import cli

ROOT = Path(__file__).parents[2]
HEAVY = ("tensorflow", "tfx", "apache_beam", "keras", "horovod", "tensorflow_transform")


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> MadeRuns:
    """Two runs on a dataset, one of them refused, and one on another."""
    runs = MadeRuns(tmp_path_factory.mktemp("out"))
    runs.whole("one", push="1000")
    runs.whole("two", model=b"two", right=2, blessed=False)
    runs.whole("three", model=b"three", images=corpus(train=8, evaluation=6))
    return runs


def ask(capsys, runs: MadeRuns, *arguments: str, status: int = 0) -> str:
    assert cli.main([*arguments, "--output_dir", str(runs.folder)]) == status
    captured = capsys.readouterr()
    return captured.err if status else captured.out


def test_table_of_runs(capsys, runs):
    lines = ask(capsys, runs, "runs").splitlines()
    assert lines[0].split() == [
        "RUN", "WHEN", "STATE", "DURATION", "IMAGES", "TOP-1", "VERDICT", "PUSHED"
    ]  # fmt: skip
    assert [line.split()[0] for line in lines[1:]] == ["three", "two", "one"]
    assert "0.2000 [0.0567, 0.5098]  not blessed  -" in lines[2]
    assert lines[3].endswith("blessed      1000")
    newest = ask(capsys, runs, "runs", "--last", "1").splitlines()
    assert [line.split() for line in newest] == [line.split() for line in lines[:2]]


def test_runs_as_json(capsys, runs):
    found = json.loads(ask(capsys, runs, "runs", "--json"))
    assert [(run["id"], run["state"], run["images"]) for run in found] == [
        ("three", "pushed", 14),
        ("two", "not_blessed", 10),
        ("one", "pushed", 10),
    ]
    assert found[2]["pushes"][0]["version"] == "1000"


def test_runs_by_dataset(capsys, runs):
    found = json.loads(ask(capsys, runs, "runs", "--data", "--json"))
    assert [[run["id"] for run in group["runs"]] for group in found] == [["three"], ["two", "one"]]
    digest = found[1]["dataset"]
    text = ask(capsys, runs, "runs", "--data", digest[:8])
    assert text.startswith(f"dataset {digest[:12]}, 10 images\n")
    assert "three" not in text


def test_more_runs_than_are_shown(capsys, tmp_path):
    runs = MadeRuns(tmp_path)
    for number in range(22):
        runs.start(f"run-{number:02d}").end()
    lines = ask(capsys, runs, "runs").splitlines()
    assert len(lines) == 22
    assert lines[1].startswith("run-21")
    assert lines[-1] == "the newest 20; --last N shows more"
    assert len(json.loads(ask(capsys, runs, "runs", "--json"))) == 22


def things(runs: MadeRuns) -> dict[str, str]:
    """Ways to name run `one`, by what they name."""
    run = files.read(files.path_of(runs.artifacts, "one"))
    return {
        "run": "one",
        "served version": str(runs.folder / "serving" / "classifier" / "1000"),
        "number of a version": "1000",
        "model": run.model.digest[:10],
        "dataset": run.dataset.digest[:10],
        "artifact": str(run.model.artifact_id),
        "folder of an artifact": run.model.uri,
        "record": str(files.path_of(runs.artifacts, "one")),
    }


@pytest.mark.parametrize(
    "thing",
    ["run", "served version", "number of a version", "model", "dataset", "artifact",
     "folder of an artifact", "record"],
)  # fmt: skip
def test_what_can_be_asked_for(capsys, runs, thing):
    name = things(runs)[thing]
    record = json.loads(files.path_of(runs.artifacts, "one").read_text())
    assert json.loads(ask(capsys, runs, "lineage", name, "--format", "json")) == record


def test_latest_is_what_is_meant_without_a_name(capsys, runs):
    assert ask(capsys, runs, "lineage") == ask(capsys, runs, "lineage", "latest")
    assert ask(capsys, runs, "lineage").startswith("run        three: pushed")


def test_copy_of_a_served_model_is_known_by_its_content(capsys, runs, tmp_path):
    copy = tmp_path / "somewhere" / "7"
    copy.mkdir(parents=True)
    served = runs.folder / "serving" / "classifier" / "1000"
    (copy / "saved_model.pb").write_bytes((served / "saved_model.pb").read_bytes())
    assert ask(capsys, runs, "lineage", str(copy)).startswith("run        one: pushed")
    (copy / "saved_model.pb").write_bytes(b"of somebody else")
    assert "none pushed it there" in ask(capsys, runs, "lineage", str(copy), status=2)


def test_lineage_as_text(capsys, runs):
    text = ask(capsys, runs, "lineage", "two")
    for line in (
        "data       folder /pictures, span 0",
        "10 files seen: 10 used (6 train, 4 eval), 0 in quarantine, 0 dropped duplicates",
        "trained for 15 steps, 2 epochs, in 12 s",
        "top-1 0.2000 [0.0567, 0.5098], minimum 0.5000: not blessed",
        "pushed     no",
        "evaluation.min_top_1: 0.5",
    ):
        assert line in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lineage", "nothing"), "the last ones are: three, two, one"),
        (("lineage", "999999"), "must have what is asked for"),
        (("lineage", "abcdef0123"), "must have what is asked for"),
        (("lineage", "/"), "a folder must be that of a served version"),
        (("runs", "--data", "abcdef"), "Received: 'abcdef'"),
        (("runs", "--last", "0"), "--last must be 1 or more"),
    ],
)
def test_wrong_names_are_told_in_one_line(capsys, runs, arguments, said):
    error = ask(capsys, runs, *arguments, status=2)
    assert said in error
    assert len(error.splitlines()) == 1


def test_files_are_read_where_the_store_is_gone(capsys, runs):
    of_store = ask(capsys, runs, "lineage", "one", "--format", "json")
    records = str(runs.artifacts)
    assert cli.main(["lineage", "one", "--format", "json", "--records", records]) == 0
    assert capsys.readouterr().out == of_store
    store = runs.folder / "metadata.sqlite"
    store.rename(store.with_suffix(".away"))
    try:
        assert ask(capsys, runs, "lineage", "one", "--format", "json") == of_store
        assert not store.exists()
    finally:
        store.with_suffix(".away").rename(store)


def test_store_that_is_not_there_is_not_made(capsys, tmp_path):
    uri = f"sqlite://{tmp_path / 'none.sqlite'}"
    assert cli.main(["runs", "--metadata_uri", uri]) == 2
    assert "must be a SQLite file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command",
    [
        ["runs"],
        ["lineage", "latest"],
        ["lineage", "latest", "--format", "html"],
        ["runs", "--compare", "one", "two", "--format", "html"],
        ["prune", "--keep_last", "9", "--dry_run"],
    ],
)
def test_questions_do_not_wait_for_tensorflow(runs, command):
    program = [sys.executable, "-X", "importtime", "-m", "pipeline.cli"]
    done = subprocess.run(
        [*program, *command, "--output_dir", str(runs.folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "ml_metadata" in imported
    assert sorted(name for name in imported if name.partition(".")[0] in HEAVY) == []
