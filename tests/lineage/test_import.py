"""`effnet lineage --import`: a fresh store tells the same as the records that filled it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_runs import Image, MadeRuns, corpus
from test_record import OVERRIDE

from lineage.reading.from_files import FileRuns
from lineage.reading.from_store import StoreRuns
from lineage.record.run import Run
from lineage.store import import_runs
from lineage.store.import_records import import_records
from pipeline import cli, store_uri
from pipeline.mlmd import servers
from pipeline.mlmd.connection import Connection, open_store

SERVERS = ["postgresql", "mariadb", "mlmd_service"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> MadeRuns:
    """A pushed run, one with its data that was pushed by an override, and one that failed."""
    runs = MadeRuns(tmp_path_factory.mktemp("out"))
    # So that numbers in a fresh store differ.
    runs.start("before").node("Other", {"made": ("Model", {"a": b"b"}, {})})
    bad = Image("cat/broken.png", status="quarantined", reason="unknown format")
    first = runs.start("first")
    first.all_nodes([*corpus(), bad], push="1000")
    first.node("Numbers", {"made": ("Model", {"a": b"c"}, {"many": 3_000_000_000, "share": 0.1})})
    first.end()
    second = runs.start("second")
    for node in ("ImageExampleGen", "ImagePreprocessor"):
        second.cached(node, first)
    second.train(b"other weights")
    second.evaluate(right=2, of=10, blessed=False, override=OVERRIDE)
    second.push("2000", OVERRIDE)
    second.end()
    failed = runs.start("failed")
    failed.data(corpus())
    failed.node("HorovodTrainer", {}, state=4)
    failed.status, failed.said = "failed", "HorovodTrainer failed: no memory"
    failed.end()
    shutil.rmtree(runs.artifacts / "lineage" / "before")
    return runs


def records(runs: MadeRuns) -> str:
    return str(runs.artifacts / "lineage")


def fresh(tmp_path: Path):
    return open_store(Connection(store_uri.parse(f"sqlite://{tmp_path / 'fresh.sqlite'}")))


def counts(store) -> list[int]:
    found = (store.get_executions(), store.get_artifacts(), store.get_contexts())
    events = store.get_events_by_execution_ids([e.id for e in found[0]])
    return [*map(len, found), len(events)]


def by_order(run: Run) -> dict:
    """A record with each number replaced by its place among all of its kind."""
    executions = sorted(n.execution_id for n in run.nodes if n.execution_id)
    artifacts = sorted(a.id for a in run.artifacts)

    def change(value, key=""):
        if isinstance(value, dict) and key in ("inputs", "outputs"):
            return {k: [artifacts.index(i) for i in ids] for k, ids in value.items()}
        if isinstance(value, dict):
            return {k: v if k == "properties" else change(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [change(item) for item in value]
        if key == "execution_id" and value is not None:
            return executions.index(value)
        return (
            artifacts.index(value) if key in ("id", "artifact_id") and value in artifacts else value
        )

    return change(run.model_dump())


def test_fresh_store_tells_the_same_as_the_records(runs, tmp_path):
    store = fresh(tmp_path)
    done = import_records(store, [records(runs)])
    assert done.added == ["first", "second", "failed"]
    of_store, of_files = StoreRuns(store, "the store", None), FileRuns(Path(records(runs)))
    assert of_store.lines() == of_files.lines()
    assert of_store.lines(limit=2) == of_files.lines(limit=2)
    for line in of_files.lines():
        told = of_store.run(line.id)
        assert by_order(told) == by_order(of_files.run(line.id))
        for artifact in told.artifacts:
            assert of_store.artifact(artifact.id) == artifact
            assert of_store.artifact_at(artifact.uri) == artifact


def test_executions_and_events_are_as_they_were(runs, tmp_path):
    """What reads executions, and no records, finds the same there."""
    store = fresh(tmp_path)
    import_records(store, [records(runs)])

    def told(of):
        context = of.get_context_by_type_and_name("pipeline_run", "second")
        found = sorted(of.get_executions_by_context(context.id), key=lambda e: e.id)
        uris = {a.id: a.uri for a in of.get_artifacts()}
        for execution in found:
            events = of.get_events_by_execution_ids([execution.id])
            nodes = [c.name for c in of.get_contexts_by_execution(execution.id) if c.type == "node"]
            edges = [(uris[e.artifact_id], e.type, str(e.path)) for e in events]
            yield execution.type, execution.last_known_state, nodes, sorted(edges)

    assert list(told(store)) == list(told(runs.store))


def test_importing_again_adds_nothing(runs, tmp_path):
    store = fresh(tmp_path)
    import_records(store, [records(runs)])
    before = counts(store)
    again = import_records(store, [records(runs), records(runs)])
    assert (again.added, again.updated) == ([], [])
    assert again.unchanged == ["first", "second", "failed"]
    assert counts(store) == before


def test_store_that_has_the_runs_itself_is_left_alone(runs):
    before = counts(runs.store)
    done = import_records(runs.store, [records(runs)])
    assert done.unchanged == ["first", "second", "failed"]
    assert counts(runs.store) == before


class Interrupted(Exception):
    """Stands for the end of the process."""


class BreaksOff:
    """A store whose writes end after some."""

    def __init__(self, store, writes: int):
        self._store, self._left = store, writes

    def __getattr__(self, name: str):
        if name.startswith("put_"):
            if not self._left:
                raise Interrupted
            self._left -= 1
        return getattr(self._store, name)


def interrupted_imports(runs, store) -> Iterator[int]:
    """Imports into a store that breaks off after one write, after two and so on, to the end."""
    for writes in range(1, 500):
        yield writes
        try:
            import_records(BreaksOff(store, writes), [records(runs)])
        except Interrupted:
            continue
        return


def test_interrupted_import_goes_on(runs, tmp_path):
    whole, store = fresh(tmp_path), None
    import_records(whole, [records(runs)])
    expected = StoreRuns(whole, "the store", None)
    (tmp_path / "other").mkdir()
    store = fresh(tmp_path / "other")
    assert len(list(interrupted_imports(runs, store))) > 5
    found = StoreRuns(store, "the store", None)
    assert counts(store) == counts(whole)
    assert found.lines() == expected.lines()
    assert by_order(found.run("second")) == by_order(expected.run("second"))


def test_record_that_was_completed_brings_its_run_up_to_date(tmp_path):
    runs, store = MadeRuns(tmp_path / "out"), fresh(tmp_path)
    run = runs.start("one")
    run.data(corpus())
    assert import_records(store, [records(runs)]).added == ["one"]
    run.train(b"weights")
    run.evaluate(right=9, of=10, blessed=True)
    run.end()
    assert import_records(store, [records(runs)]).updated == ["one"]
    of_store, of_files = StoreRuns(store, "the store", None), FileRuns(Path(records(runs)))
    assert of_store.lines() == of_files.lines()
    assert by_order(of_store.run("one")) == by_order(of_files.run("one"))
    assert import_records(store, [records(runs)]).unchanged == ["one"]


def test_older_runs_that_come_later_are_listed_in_their_order(runs, tmp_path):
    store = fresh(tmp_path)
    for name in ("failed", "first", "second"):
        import_records(store, [f"{records(runs)}/{name}/lineage.json"])
    lines = StoreRuns(store, "the store", None).lines(limit=2)
    assert [line.id for line in lines] == ["failed", "second"]


@pytest.mark.parametrize("server", SERVERS)
def test_servers_are_filled_too(request, runs, server):
    uri = request.getfixturevalue(server).new_store()
    servers.create_database(uri)
    store = open_store(Connection(uri))
    import_records(store, [records(runs)])
    before = counts(store)
    assert import_records(store, [records(runs)]).added == []
    assert counts(store) == before
    found = StoreRuns(store, "the store", None)
    assert found.lines() == FileRuns(Path(records(runs))).lines()


def test_runs_of_one_name_are_refused_before_anything_is_written(capsys, runs, tmp_path):
    others = MadeRuns(tmp_path / "others")
    others.start("aaa").end()
    others.start("other").end()
    others.start("first").end()
    fresh(tmp_path)
    uri = f"sqlite://{tmp_path / 'fresh.sqlite'}"
    command = ["lineage", "--metadata_uri", uri, "--import"]
    assert cli.main([*command, records(runs), records(others)]) == 2
    error = capsys.readouterr().err
    assert "two runs 'first'" in error
    assert len(error.splitlines()) == 1
    assert counts(fresh(tmp_path))[:2] == [0, 0]
    assert cli.main([*command, records(runs)]) == 0
    assert cli.main([*command, records(others)]) == 2
    assert StoreRuns(fresh(tmp_path), "the store", None).find("aaa") is None


class TestCommand:
    """The command line."""

    def test_folder_that_lost_its_store_gets_it_back(self, capsys, runs, tmp_path):
        folder = tmp_path / "copy"
        shutil.copytree(runs.folder, folder)
        (folder / "metadata.sqlite").unlink()
        of_files = self.ask(capsys, folder, "lineage", "second")
        assert cli.main(["lineage", "--output_dir", str(folder), "--import", str(folder)]) == 0
        out = capsys.readouterr().out
        assert out.endswith("3 added, 0 brought up to date, 0 there already\n")
        assert (folder / "metadata.sqlite").is_file()
        strip = str.maketrans("", "", "0123456789")
        assert self.ask(capsys, folder, "lineage", "second").translate(strip) == of_files.translate(
            strip
        )
        assert "Received" not in self.ask(capsys, folder, "lineage", "--image", "cat/0.png")

    def test_store_that_lacks_runs_with_records_says_how_to_mend_it(self, capsys, tmp_path):
        runs = MadeRuns(tmp_path)
        runs.whole("1-lost")
        (tmp_path / "metadata.sqlite").unlink()
        MadeRuns(tmp_path).whole("2-new")
        assert cli.main(["runs", "--output_dir", str(tmp_path)]) == 0
        captured = capsys.readouterr()
        assert "1-lost" not in captured.out
        assert "has records; `--import` adds them" in captured.err
        records_there = str(tmp_path / "artifacts")
        command = ["lineage", "--output_dir", str(tmp_path), "--import", records_there]
        assert cli.main(command) == 0
        assert ": 1 added, 0 brought up to date, 1 there already\n" in capsys.readouterr().out
        told = self.ask(capsys, tmp_path, "runs")
        assert [line.split()[0] for line in told.splitlines()[1:]] == ["2-new", "1-lost"]

    def ask(self, capsys, folder: Path, *arguments: str) -> str:
        assert cli.main([*arguments, "--output_dir", str(folder)]) == 0
        captured = capsys.readouterr()
        assert captured.err == ""
        return captured.out

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"lineage_version": 2}, "use a newer one. Received: lineage_version 2"),
            ({"run": {}}, "is no record of a run"),
        ],
    )
    def test_record_that_cannot_be_read_is_told_in_one_line(
        self, capsys, runs, tmp_path, change, said
    ):
        folder = tmp_path / "records"
        shutil.copytree(records(runs), folder)
        path = folder / "first" / "lineage.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
        uri = f"sqlite://{tmp_path / 'fresh.sqlite'}"
        assert cli.main(["lineage", "--import", str(folder), "--metadata_uri", uri]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert str(path) in error
        assert len(error.splitlines()) == 1
        assert counts(fresh(tmp_path)) == [0, 0, 0, 0]

    @pytest.mark.parametrize(
        "arguments",
        [["latest"], ["--images"], ["--image", "x"], ["--why", "a", "b"], ["--records", "."]],
    )
    def test_import_takes_no_question(self, capsys, runs, arguments):
        more = ["--import", records(runs), "--output_dir", str(runs.folder)]
        assert cli.main(["lineage", *arguments, *more]) == 2
        assert "--import takes records" in capsys.readouterr().err

    def test_folder_without_records_is_refused(self, capsys, tmp_path):
        uri = f"sqlite://{tmp_path / 'fresh.sqlite'}"
        command = ["lineage", "--metadata_uri", uri, "--import", str(tmp_path / "none")]
        assert cli.main(command) == 2
        assert "Received: " in capsys.readouterr().err


def test_tfx_goes_on_in_a_store_that_was_filled(runs, tmp_path):
    """Types of executions and artifacts that TFX registers fit those of the import."""
    from tfx.orchestration.portable.mlmd import common_utils
    from tfx.types import standard_artifacts

    from components import artifacts
    from pipeline.mlmd.handle import Handle
    from pipeline.mlmd.run_record import RunRecord

    store = fresh(tmp_path)
    import_records(store, [records(runs)])
    uri = store_uri.parse(f"sqlite://{tmp_path / 'fresh.sqlite'}")
    with Handle(Connection(uri)) as handle:
        for kind in (
            standard_artifacts.Examples,
            standard_artifacts.Model,
            standard_artifacts.PushedModel,
            artifacts.Verdict,
        ):
            made = common_utils.register_type_if_not_exist(handle, kind._get_artifact_type())
            assert made.name == kind.TYPE_NAME
        record = RunRecord(handle, "second", tmp_path)
        pushed = record.outputs["Pusher", "pushed_model"]
        assert pushed.get_string_custom_property("pushed_version") == "2000"
        assert pushed.get_string_custom_property("override_user") == OVERRIDE.user
        assert record.outputs["Evaluator", "verdict"].get_int_custom_property("blessed") == 0


def test_half_a_run_is_not_taken_for_one_of_the_store_itself(runs, tmp_path):
    store = fresh(tmp_path)
    import_records(store, [records(runs)])
    run = FileRuns(Path(records(runs))).run("first")
    assert not import_runs.is_own(store, run)
    assert import_runs.is_own(runs.store, run)
