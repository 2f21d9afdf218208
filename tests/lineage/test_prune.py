"""`effnet prune` on small real runs."""

import datetime
import fcntl
import json
import os
import shutil
import time
from pathlib import Path

import pytest
from made_runs import MadeRuns, corpus
from ml_metadata.proto import metadata_store_pb2

from components.horovod_trainer import unfinished
from lineage.making import recorder
from lineage.pruning import removal
from lineage.record import files
from pipeline import cli
from pipeline.cache import fingerprints, records
from pipeline.mlmd import connection, names

TRAINER = "HorovodTrainer"


def make_runs(folder: Path) -> MadeRuns:
    """Of the oldest to the newest: blessed, refused, refused, refused with data of the cache."""
    runs = MadeRuns(folder)
    runs.whole("blessed", model=b"a" * 1000)
    runs.whole("refused", model=b"b" * 1000, right=2, blessed=False, images=corpus(train=8))
    first = runs.start("data")
    first.data(corpus(train=12))
    first.train(b"c" * 1000)
    first.evaluate(2, 10, False)
    first.end()
    second = runs.start("newest")
    for node in ("ImageExampleGen", "ImagePreprocessor"):
        second.cached(node, first)
    second.train(b"d" * 1000)
    second.evaluate(3, 10, False)
    second.end()
    return runs


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with `out`, the output folder of these runs, and a copy of it."""
    folder = tmp_path_factory.mktemp("made")
    make_runs(folder / "out")
    shutil.copytree(folder / "out", folder / "as made")
    return folder


@pytest.fixture
def runs(made) -> MadeRuns:
    """The runs of `make_runs`; records hold absolute paths, so each test has them in one place."""
    for path in (made / "out").iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(made / "as made", made / "out", dirs_exist_ok=True)
    return MadeRuns(made / "out", count=4)


def prune(capsys, runs: MadeRuns, *more: str, keep: int = 1, status: int = 0) -> str:
    command = ["prune", "--keep-last", str(keep), *more, "--output_dir", str(runs.folder)]
    assert cli.main(command) == status
    captured = capsys.readouterr()
    return captured.err if status else captured.out


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def pruned_in_store(runs: MadeRuns) -> set[str]:
    return {a.uri for a in runs.store.get_artifacts() if names.PRUNED in a.custom_properties}


def model_files(runs: MadeRuns, run_id: str) -> list[Path]:
    record = files.read(files.path_of(runs.artifacts, run_id))
    return [path for path in Path(record.model.uri).rglob("*") if path.is_file()]


def test_frees_what_only_runs_have_that_are_not_kept(capsys, runs):
    said = prune(capsys, runs)
    assert "keeps run newest: it is one of the newest 1" in said
    assert "keeps run blessed: its model was blessed" in said
    assert not model_files(runs, "refused")
    assert not model_files(runs, "data")
    assert model_files(runs, "blessed")
    assert model_files(runs, "newest")
    line = next(line for line in said.splitlines() if "HorovodTrainer model of run refused" in line)
    assert line.split()[:2] == ["1.0", "kB"]
    assert line.endswith("not served, not blessed, not one of the newest 1")


def test_what_a_kept_run_took_from_the_cache_stays(capsys, runs):
    before = contents(runs.artifacts / "ImageExampleGen") | contents(
        runs.artifacts / "ImagePreprocessor"
    )
    prune(capsys, runs)
    dataset = Path(files.read(files.path_of(runs.artifacts, "newest")).dataset.uri)
    kept = {name: content for name, content in before.items() if f"/{dataset.name}/" in name}
    assert kept
    assert {
        name: content
        for node in ("ImageExampleGen", "ImagePreprocessor")
        for name, content in contents(runs.artifacts / node).items()
        if name in kept
    } == kept


def test_served_model_stays_as_long_as_it_is_served(capsys, runs):
    served = runs.start("served")
    served.all_nodes(model=b"e" * 1000, right=1, blessed=False)
    folder = served.push("1234")
    served.end()
    runs.whole("last", model=b"f" * 1000, right=1, blessed=False)
    assert "keeps run served: its model is served as version 1234" in prune(capsys, runs)
    assert model_files(runs, "served")
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    assert "HorovodTrainer model of run served" in prune(capsys, runs)
    assert not model_files(runs, "served")


def test_dry_run_says_the_same_and_changes_nothing(capsys, tmp_path):
    runs = make_runs(tmp_path / "out")  # a copy's files would be looked at anew
    before, stored = contents(runs.folder), runs.store.get_artifacts()
    would = prune(capsys, runs, "--dry-run")
    assert contents(runs.folder) == before
    assert runs.store.get_artifacts() == stored
    did = prune(capsys, runs)
    assert would.replace("would free", "freed") == did


def test_what_is_recorded_stays_and_says_pruned(capsys, runs):
    def ask(*question: str) -> str:
        assert cli.main([*question, "--output_dir", str(runs.folder)]) == 0
        return capsys.readouterr().out

    before = json.loads(ask("lineage", "refused", "--format", "json"))
    images = ask("lineage", "refused", "--images")
    found = ask("lineage", "--image", "cat/0.png")
    table = ask("runs")
    prune(capsys, runs)
    after = json.loads(ask("lineage", "refused", "--format", "json"))
    pruned = {a["uri"] for a in after["artifacts"] if a["pruned"]}
    assert before["model"]["uri"] in pruned
    for artifact in after["artifacts"]:
        artifact["pruned"] = None
    assert after == before
    assert ask("lineage", "refused", "--images") == images
    assert ask("lineage", "--image", "cat/0.png") == found
    assert ask("runs") == table
    assert "pruned     2" in ask("lineage", "refused")
    assert "pruned" not in ask("lineage", "newest")
    of_files = ["lineage", "refused", "--records", str(runs.artifacts)]
    assert cli.main(of_files) == 0
    assert "pruned     2" in capsys.readouterr().out
    stored = {a.uri: a for a in runs.store.get_artifacts()}
    assert pruned < pruned_in_store(runs)
    assert {stored[uri].state for uri in pruned} == {metadata_store_pb2.Artifact.DELETED}


def test_cache_does_not_take_what_was_pruned(capsys, runs):
    prune(capsys, runs)
    stored = {a.uri: a for a in runs.store.get_artifacts()}
    record = files.read(files.path_of(runs.artifacts, "refused"))
    model = stored[record.model.uri]
    assert records.damage({"model": [model]}) == "output model: pruned, to free its room"


def test_second_prune_frees_nothing_more(capsys, runs):
    prune(capsys, runs)
    before = contents(runs.folder)
    assert prune(capsys, runs).splitlines()[-1] == "freed 0 B"
    assert contents(runs.folder) == before


@pytest.mark.parametrize("moment", [0, 1, 2, 3, 4, 6, 8, 9, 11, 13, 15, 17])
def test_killed_prune_leaves_nothing_that_is_taken_for_whole(capsys, runs, monkeypatch, moment):
    """It ends at any of its writes and removals; the next one goes on."""
    steps = iter(range(10_000))

    class Killed(BaseException):
        pass

    def until_killed(act):
        def step(*args, **kwargs):
            if next(steps) == moment:
                raise Killed
            return act(*args, **kwargs)

        return step

    store = type(runs.store)
    with monkeypatch.context() as patch:
        patch.setattr(store, "put_artifacts", until_killed(store.put_artifacts))
        patch.setattr(Path, "unlink", until_killed(Path.unlink))
        patch.setattr(recorder, "mark_pruned", until_killed(recorder.mark_pruned))
        with pytest.raises(Killed):
            prune(capsys, runs)
    for artifact in runs.store.get_artifacts():
        is_whole = (
            artifact.type == "RunRecord"
            or fingerprints.difference(
                artifact.uri, artifact.custom_properties["content_fingerprint"].string_value
            )
            is None
        )
        assert is_whole or names.PRUNED in artifact.custom_properties
    prune(capsys, runs)
    assert not model_files(runs, "refused")
    states = {a.state for a in runs.store.get_artifacts() if names.PRUNED in a.custom_properties}
    assert states == {metadata_store_pb2.Artifact.DELETED}
    told = {
        a.uri
        for run_id in ("refused", "data")
        for a in files.read(files.path_of(runs.artifacts, run_id)).artifacts
        if a.pruned
    }
    assert told == pruned_in_store(runs)


def test_run_in_progress_is_not_disturbed(capsys, runs):
    before = contents(runs.folder)
    with open(runs.folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        error = prune(capsys, runs, status=2)
    assert "one run at a time" in error
    assert len(error.splitlines()) == 1
    before[".lock"] = b""
    assert contents(runs.folder) == before


def test_what_a_run_of_another_folder_has_stays(capsys, tmp_path):
    """Of a shared store: the other run took the dataset from the cache."""
    shared = connection.locate("", tmp_path / "shared.sqlite")
    own, other = MadeRuns(tmp_path / "own", shared), MadeRuns(tmp_path / "other", shared)
    mine = own.start("mine")
    mine.data(corpus())
    mine.train(b"x" * 1000)
    mine.evaluate(1, 10, False)
    mine.end()
    theirs = other.start("theirs")
    for node in ("ImageExampleGen", "ImagePreprocessor"):
        theirs.cached(node, mine)
    uri = f"sqlite://{shared.uri.path}"
    said = prune(capsys, own, "--metadata_uri", uri, keep=0)
    record = files.read(files.path_of(own.artifacts, "mine"))
    assert "HorovodTrainer model of run mine" in said
    assert "ImagePreprocessor" not in said
    assert fingerprints.difference(record.dataset.uri, record.dataset.digest) is None


def test_what_is_taken_while_it_is_marked_stays(capsys, runs, monkeypatch):
    """A run of another folder takes a result between the plan and the mark."""
    record = files.read(files.path_of(runs.artifacts, "refused"))
    mark = removal._mark

    def taken_meanwhile(store, ids, now):
        kind = store.put_execution_type(metadata_store_pb2.ExecutionType(name="theirs"))
        event = metadata_store_pb2.Event(
            artifact_id=record.model.artifact_id, type=metadata_store_pb2.Event.INPUT
        )
        [artifact] = store.get_artifacts_by_id([record.model.artifact_id])
        store.put_execution(metadata_store_pb2.Execution(type_id=kind), [(artifact, event)], [])
        return mark(store, ids, now)

    monkeypatch.setattr(removal, "_mark", taken_meanwhile)
    prune(capsys, runs)
    assert model_files(runs, "refused")
    [artifact] = runs.store.get_artifacts_by_id([record.model.artifact_id])
    assert artifact.state == metadata_store_pb2.Artifact.LIVE
    assert names.PRUNED not in artifact.custom_properties


def test_what_cannot_be_proved_unneeded_is_left(capsys, runs):
    changed = model_files(runs, "refused")[0]
    changed.write_bytes(b"of somebody else")
    strange = runs.artifacts / "HorovodTrainer" / "model" / "999"
    strange.mkdir()
    (strange / "notes.txt").write_text("mine")
    said = prune(capsys, runs)
    assert "leaves HorovodTrainer model of run refused: 1 file changed" in said
    assert changed.read_bytes() == b"of somebody else"
    assert (strange / "notes.txt").read_text() == "mine"


def test_what_a_kept_run_names_in_its_settings_stays(capsys, runs):
    record = files.read(files.path_of(runs.artifacts, "refused"))
    [model_run] = [a for a in record.artifacts if a.type == "ModelRun"]
    weights = f"{model_run.uri}/model.weights.h5"
    runs.whole(
        "tuned", {"trainer": {"init_weights": weights}}, model=b"t" * 1000, right=1, blessed=False
    )
    said = prune(capsys, runs)
    assert "model_run of run refused: the settings of run tuned name a file in it" in said
    assert Path(weights).is_file()
    assert not model_files(runs, "refused")


def test_weights_that_a_kept_run_started_from_stay_wherever_they_were_named(capsys, runs):
    runs.whole("parent", model=b"p" * 1000, right=1, blessed=False)
    runs.whole(
        "child", model=b"q" * 1000, weights=b"weights of " + b"p" * 1000, right=1, blessed=False
    )
    said = prune(capsys, runs)
    assert "model_run of run parent: the training of run child started from its weights" in said
    record = files.read(files.path_of(runs.artifacts, "parent"))
    [model_run] = [a for a in record.artifacts if a.type == "ModelRun"]
    assert Path(model_run.uri, "model.weights.h5").is_file()


def begun(runs: MadeRuns, run_id: str, state: int) -> Path:
    """A run whose training did not end; returns the folder with its checkpoints."""
    run = runs.start(run_id)
    run.data(corpus(train=20 + len(run_id)))
    run.node(
        TRAINER,
        {},
        inputs=[("examples", "ImagePreprocessor", "transformed_examples")],
        properties={"train_config": "{}", "init_weights_sha256": ""},
        state=state,
    )
    content = run.outputs["ImagePreprocessor", "transformed_examples"]
    digest = content.custom_properties["content_fingerprint"].string_value
    folder = (
        runs.artifacts / "HorovodTrainer" / "unfinished" / f"{unfinished.prefix([digest, ''])}-1"
    )
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "step-000000000001.npz").write_bytes(b"c" * 5000)
    run.status, run.said = "failed", "HorovodTrainer failed"
    run.end()
    [execution] = runs.store.get_executions_by_type(f"components.{TRAINER}")[-1:]
    output = runs.artifacts / "HorovodTrainer" / "model_run" / str(execution.id)
    output.mkdir(parents=True)
    (output / "half").write_bytes(b"h" * 300)
    return folder


def test_trainings_that_were_cut_off(capsys, runs):
    failed = metadata_store_pb2.Execution.FAILED
    old, new = begun(runs, "old", failed), begun(runs, "newer", failed)
    unknown = new.with_name("0123456789ab-77")
    unknown.mkdir()
    (unknown / "x").write_bytes(b"x")
    said = prune(capsys, runs)
    assert not old.exists()
    assert "5.0 kB  training that was cut off" in said
    assert "of run old, which is not kept" in said
    assert new.is_dir()
    assert "run newer is kept, and the next one goes on with it" in said
    assert unknown.is_dir()
    assert "no run in ML Metadata is known to have begun it" in said


def test_training_in_progress_is_not_touched(capsys, runs):
    old = begun(runs, "old", metadata_store_pb2.Execution.FAILED)
    runs.whole("last", model=b"z" * 1000)
    with open(old / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "it is in progress" in prune(capsys, runs)
        assert old.is_dir()
    prune(capsys, runs)
    assert not old.exists()


def test_leftovers_of_killed_runs(capsys, runs):
    begun(runs, "failed", metadata_store_pb2.Execution.FAILED)
    half = list((runs.artifacts / "HorovodTrainer" / "model_run").glob("*/half"))
    assert half
    killed = runs.artifacts / "ImagePreprocessor" / "transformed_examples" / ".5.abc.staging"
    used = killed.with_name(".6.abc.staging")
    for folder in (killed, used):
        folder.mkdir()
        (folder / "shard").write_bytes(b"s" * 2000)
    writing = runs.artifacts / "lineage" / ".lines.json.0123.writing"
    writing.write_bytes(b"w" * 10)
    fresh = writing.with_name(".lines.json.4567.writing")
    fresh.write_bytes(b"w" * 10)
    os.utime(writing, (time.time() - 7200,) * 2)
    descriptor = os.open(used, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    said = prune(capsys, runs, keep=10)
    os.close(descriptor)
    assert not half[0].exists()
    assert "300 B  what HorovodTrainer had begun in run failed" in said
    assert not killed.exists()
    assert used.is_dir()
    assert not writing.exists()
    assert fresh.exists()
    assert model_files(runs, "refused")


def test_killed_run_keeps_its_record(capsys, runs):
    """Its record is completed before what it is made of goes."""
    run = runs.start("killed")
    run.data(corpus(train=30))
    run.train(b"k" * 1000)
    runs.whole("last", model=b"l" * 1000)
    prune(capsys, runs)
    record = files.read(files.path_of(runs.artifacts, "killed"))
    assert record.run.state == "killed"
    assert record.dataset.images["used"] == 34
    assert record.model.digest
    assert not model_files(runs, "killed")
    assert isinstance(record.artifacts[0].made, datetime.datetime)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--keep_last", "-1"), "--keep_last must be 0 or more"),
        ((), "--keep_last"),
        (("--keep_last", "1", "--metadata_uri", "sqlite:///nowhere.sqlite"), "SQLite file"),
    ],
)
def test_wrong_input_is_told_in_one_line(capsys, runs, arguments, said):
    before = contents(runs.artifacts)
    assert cli.main(["prune", *arguments, "--output_dir", str(runs.folder)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1
    assert contents(runs.artifacts) == before


def test_folder_without_its_store_is_left(capsys, runs):
    (runs.folder / "metadata.sqlite").unlink()
    before = contents(runs.artifacts)
    assert "must have its ML Metadata" in prune(capsys, runs, status=2)
    assert contents(runs.artifacts) == before
