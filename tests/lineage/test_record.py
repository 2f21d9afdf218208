"""What a run's record says, and that it is the same from ML Metadata and from files alone."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from made_runs import Image, MadeRuns, corpus

from components.evaluator.verdict import Override
from lineage.making import code
from lineage.reading.from_files import FileRuns
from lineage.reading.from_store import StoreRuns
from lineage.record import files
from lineage.record.run import VERSION
from preprocessing.errors import InputError

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "lineage" / "schema" / f"lineage-{VERSION}.json"
OVERRIDE = Override("the camera was broken", "ann", "2026-01-31T13:00:00Z")


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> MadeRuns:
    """A pushed run, one that takes its data from it, one that was refused, and one that failed."""
    runs = MadeRuns(tmp_path_factory.mktemp("out"))
    bad = Image("cat/broken.png", status="quarantined", reason="unknown format")
    first = runs.start("first", trainer={"max_epochs": 3})
    first.all_nodes([*corpus(), bad], push="1000")
    first.end()
    second = runs.start("second")
    for node in ("ImageExampleGen", "ImagePreprocessor"):
        second.cached(node, first)
    second.train(b"other weights")
    second.evaluate(right=2, of=10, blessed=False, override=OVERRIDE)
    second.push("2000", OVERRIDE)
    second.end()
    runs.whole("third", right=1, blessed=False)
    failed = runs.start("failed")
    failed.data(corpus())
    failed.node("HorovodTrainer", {}, state=4)
    failed.status, failed.said = "failed", "HorovodTrainer failed: no memory"
    failed.end()
    return runs


def sources(runs: MadeRuns):
    """The same runs from both sources."""
    return [
        StoreRuns(runs.store, "the store", runs.folder),
        FileRuns(runs.artifacts / files.FOLDER, runs.folder),
    ]


def test_both_sources_tell_the_same(runs):
    of_store, of_files = sources(runs)
    lines = of_store.lines()
    assert [line.id for line in lines] == ["failed", "third", "second", "first"]
    assert lines == of_files.lines()
    for line in lines:
        assert of_store.run(line.id) == of_files.run(line.id)
        assert of_store.run(line.id).line() == line
        for artifact in of_store.run(line.id).artifacts:
            assert of_store.artifact(artifact.id) == of_files.artifact(artifact.id) == artifact
            assert of_store.artifact_at(artifact.uri) == artifact


def test_record_says_what_a_model_came_from(runs):
    for source in sources(runs):
        run = source.run("first")
        assert (run.run.state, run.run.pipeline) == ("pushed", "digits")
        assert run.settings["trainer"]["max_epochs"] == 3
        assert (run.source.path, run.source.span, run.source.images) == ("/pictures", 0, 11)
        assert run.dataset.images["used"] == 10
        assert run.dataset.splits["eval"]["used"] == 4
        assert [c.name for c in run.dataset.classes] == ["cat", "dog"]
        assert run.dataset.quarantine.reasons == {"unknown format": 1}
        assert run.dataset.quarantine.first[0].uri == "/pictures/cat/broken.png"
        assert run.model.training["steps"] == 15
        assert run.evaluation.verdict["blessed"] is True
        assert run.line().top_1 == 0.8
        assert [push.version for push in run.pushes] == ["1000"]
        assert {"python", "tensorflow", "tfx", "apache-beam", "horovod"} <= set(run.versions)
        assert run.machine.cores > 0
        assert run.code.files["pipeline/cli.py"]


def test_what_came_from_the_cache_says_where_it_was_made(runs):
    for source in sources(runs):
        run = source.run("second")
        assert run.dataset.made_in_run == "first"
        assert run.dataset.digest == source.run("first").dataset.digest
        assert run.model.made_in_run == "second"
        states = {node.id: (node.state, node.made_in_run) for node in run.nodes}
        assert states["ImagePreprocessor"] == ("cached", "first")
        assert states["HorovodTrainer"] == ("ran", "second")


def test_override_is_beside_the_gates_own_verdict(runs):
    run = sources(runs)[0].run("second")
    assert run.evaluation.verdict["blessed"] is False
    [push] = run.pushes
    assert (push.version, push.override.user) == ("2000", "ann")
    assert push.override.reason == OVERRIDE.reason


def test_failed_run_has_what_it_got_to(runs):
    for source in sources(runs):
        run = source.run("failed")
        assert (run.run.state, run.run.said) == ("failed", "HorovodTrainer failed: no memory")
        assert run.dataset is not None
        assert (run.model, run.evaluation, run.pushes) == (None, None, [])


def test_records_are_valid_by_the_schema_in_the_repository(runs):
    import jsonschema  # with a grammar of URIs, which takes seconds to build

    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    paths = sorted(runs.artifacts.glob("lineage/*/lineage.json"))
    assert len(paths) == 4
    for path in paths:
        validator.validate(json.loads(path.read_text()))
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({**json.loads(paths[0].read_text()), "new": 1})


def test_schema_is_up_to_date():
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "lineage_schema.py", "--check"],
        cwd=ROOT,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr


def test_folder_that_was_moved_is_read_where_it_is(runs, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(runs.folder, moved)
    for source in (
        StoreRuns(runs.store, "the store", moved),
        FileRuns(moved / "artifacts" / files.FOLDER, moved),
    ):
        run = source.run("first")
        assert run.root == str(moved / "artifacts")
        assert run.dataset.uri.startswith(str(moved))
        assert all(Path(artifact.uri).is_dir() for artifact in run.artifacts)
        [line] = [line for line in source.lines() if line.id == "first"]
        assert line == run.line()


def test_index_of_lines_is_mended_where_it_is_stale(runs, tmp_path):
    folder = tmp_path / "artifacts" / "lineage"
    shutil.copytree(runs.artifacts / "lineage", folder)
    source = FileRuns(folder)
    assert len(source.lines()) == 4
    shutil.rmtree(folder / "third")
    record = folder / "first" / "lineage.json"
    record.write_text(record.read_text().replace('"pushed"', '"failed"', 1))
    assert {line.id: line.state for line in source.lines()} == {
        "first": "failed",
        "second": "pushed",
        "failed": "failed",
    }
    (folder / "lines.json").write_text("{")
    assert len(source.lines()) == 3
    (folder / "second" / "lineage.json").write_text("{}")
    assert len(source.lines()) == 2
    assert "is no record of a run" in source.unreadable[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no record of a run"),
        ("[]", "is no record of a run"),
        ('{"lineage_version": 2, "run": {}}', "use a newer one. Received: lineage_version 2"),
        ('{"lineage_version": 1, "run": {"id": "x"}}', "run.pipeline: Field required"),
    ],
)
def test_file_that_is_no_record_is_told_in_one_line(tmp_path, text, said):
    path = tmp_path / "lineage.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"lineage\.json") as error:
        files.read(path)
    assert said in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_run_starts_beside_records_that_cannot_be_read(tmp_path):
    runs = MadeRuns(tmp_path)
    runs.whole("one")
    path = files.path_of(runs.artifacts, "one")
    for text in ("{", path.read_text().replace('"lineage_version": 1', '"lineage_version": 2')):
        path.write_text(text)
        assert runs.whole().run.state == "pushed"
        assert path.read_text() == text


def test_run_that_was_killed_is_told_so_and_ended_by_the_next(tmp_path):
    runs = MadeRuns(tmp_path)
    killed = runs.start("killed")
    killed.data(corpus())
    for source in sources(runs):
        assert source.lines()[0].state == "killed"  # nobody holds the folder's lock
        assert source.run("killed").settings["data"]["path"] == "/pictures"
    runs.start("next")
    record = files.read(files.path_of(runs.artifacts, "killed"))
    assert record.run.state == "killed"
    assert [node.id for node in record.nodes] == ["ImageExampleGen", "ImagePreprocessor"]


class TestCode:
    """What a record says of the code that ran."""

    @pytest.fixture
    def checkout(self, tmp_path) -> Path:
        (tmp_path / "pipeline").mkdir()
        (tmp_path / "pipeline" / "cli.py").write_text("1\n")
        (tmp_path / "README.md").write_text("text\n")
        self.git(tmp_path, "init", "-q")
        self.git(tmp_path, "add", ".")
        self.git(tmp_path, "commit", "-qm", "first")
        return tmp_path

    def git(self, folder: Path, *arguments: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", "-C", folder, *who, *arguments], capture_output=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().strip()

    def test_clean_checkout(self, checkout):
        found = code.read(checkout)
        assert found.commit == self.git(checkout, "rev-parse", "HEAD")
        assert (found.dirty, found.changed) == (False, [])
        assert list(found.files) == ["pipeline/cli.py"]

    @pytest.mark.parametrize("name", ["pipeline/cli.py", "pipeline/ü new.py", "README.md"])
    def test_changed_and_new_files_make_it_dirty(self, checkout, name):
        clean = code.read(checkout)
        (checkout / name).write_text("2\n")
        found = code.read(checkout)
        assert (found.commit, found.dirty, found.changed) == (clean.commit, True, [name])
        assert (found.digest != clean.digest) == name.endswith(".py")

    def test_staged_and_removed_files_make_it_dirty(self, checkout):
        self.git(checkout, "mv", "README.md", "other.md")
        assert code.read(checkout).changed == ["README.md", "other.md"]

    def test_files_that_are_no_code_of_ours_do_not_matter(self, checkout):
        (checkout / "runs").mkdir()
        (checkout / "runs" / "notes.py").write_text("2\n")
        assert code.read(checkout) == code.read(checkout)
        assert code.read(checkout).dirty is False

    def test_installed_copy_within_another_checkout_has_no_commit(self, checkout):
        copy = checkout / "venv"
        shutil.copytree(checkout / "pipeline", copy / "pipeline")
        found = code.read(copy)
        assert (found.commit, found.dirty) == (None, None)
        assert found.digest == code.read(checkout).digest
        assert "git checkout of its own" in found.why_no_commit

    def test_no_checkout_says_why(self, tmp_path):
        (tmp_path / "pipeline").mkdir()
        (tmp_path / "pipeline" / "cli.py").write_text("1\n")
        found = code.read(tmp_path)
        assert found.commit is None
        assert found.why_no_commit.startswith("git says: ")
