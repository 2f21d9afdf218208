"""OpenLineage events of small real runs, read by the classes of its own library."""

import inspect
import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from loopback_server import serving
from made_runs import MadeRuns, corpus
from openlineage.client import event_v2, facet_v2

from components.evaluator.verdict import Override
from lineage.exports import openlineage_out
from lineage.making import recorder
from pipeline.output_dir import report_dir

OVERRIDE = Override("the camera was broken", "ann", "2026-01-31T13:00:00Z")
DATASETS = {"inputs": event_v2.InputDataset, "outputs": event_v2.OutputDataset}


@pytest.fixture(autouse=True)
def not_configured(monkeypatch, tmp_path):
    """No configuration of the machine, or of the folder, has a part in it."""
    for name in ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG", "OPENLINEAGE_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def runs(tmp_path) -> MadeRuns:
    return MadeRuns(tmp_path / "out")


def events(runs: MadeRuns, run_id: str) -> list[dict[str, Any]]:
    """The events in a run's file, each of them checked."""
    path = report_dir(runs.folder, run_id) / openlineage_out.FILE
    found = [json.loads(line) for line in path.read_text().splitlines()]
    for event in found:
        check(event)
    return found


def check(event: dict[str, Any]) -> None:
    """Makes an event anew from OpenLineage's classes, whose validators refuse what is wrong."""
    fields = {key: value for key, value in event.items() if key != "schemaURL"}
    run, job = fields.pop("run"), fields.pop("job")
    event_v2.RunEvent(
        **{**fields, "eventType": event_v2.RunState[fields["eventType"]]},
        run=event_v2.Run(run["runId"], facets(run)),
        job=event_v2.Job(job["namespace"], job["name"], facets(job)),
    )
    for key, cls in DATASETS.items():
        for dataset in event[key]:
            own = f"{key[:-1]}Facets"
            of_use = {own: facets(dataset, own)}
            cls(dataset["namespace"], dataset["name"], facets=facets(dataset), **of_use)


def facets(of: dict[str, Any], key: str = "facets") -> dict[str, Any]:
    return {name: facet(values) for name, values in of.get(key, {}).items()}


def facet(values: dict[str, Any]) -> Any:
    """The facet that its schema names; an unknown field is an error."""
    name = values["_schemaURL"].rpartition("/")[2]
    assert values["_producer"].startswith("urn:effnet-tfx:")
    modules = [m for m in vars(facet_v2).values() if inspect.ismodule(m)]
    [cls] = {getattr(module, name) for module in modules if hasattr(module, name)}
    return cls(**{key: value for key, value in values.items() if not key.startswith("_")})


def as_built(event: dict[str, Any]) -> dict[str, Any]:
    """An event that was sent, without what OpenLineage's client says of itself."""
    facets_of = {key: value for key, value in event["run"]["facets"].items() if key != "tags"}
    return {**event, "run": {**event["run"], "facets": facets_of}}


def of_job(found: list[dict[str, Any]], name: str, kind: str) -> dict[str, Any]:
    [event] = [e for e in found if (e["job"]["name"], e["eventType"]) == (name, kind)]
    return event


def test_events_of_a_pushed_run(runs):
    run = runs.whole("one", {"trainer": {"max_epochs": 3}}, push="1000")
    found = events(runs, "one")
    whole = [e["eventType"] for e in found if e["job"]["name"] == "digits"]
    assert whole == ["START", "COMPLETE"]
    assert (found[0]["eventType"], found[-1]["job"]["name"]) == ("START", "digits")
    assert len({e["run"]["runId"] for e in found if e["job"]["name"] == "digits"}) == 1
    nodes = [n.id for n in run.nodes]
    for node in nodes:
        begun, ended = (of_job(found, f"digits.{node}", kind) for kind in ("START", "COMPLETE"))
        assert begun["run"]["runId"] == ended["run"]["runId"]
        parent = ended["run"]["facets"]["parent"]
        assert parent["run"]["runId"] == found[0]["run"]["runId"]
        assert parent["job"]["name"] == "digits"
    parameters = found[0]["run"]["facets"]["executionParameters"]["parameters"]
    assert {"key": "trainer.max_epochs", "name": "trainer.max_epochs", "value": "3"} in parameters
    code = found[0]["job"]["facets"]["sourceCodeLocation"]
    assert (code["type"], code["version"]) == ("git", run.code.commit)


def test_datasets_have_their_digests_as_versions(runs):
    run = runs.whole("one", push="1000")
    found = events(runs, "one")
    ended = of_job(found, "digits.HorovodTrainer", "COMPLETE")
    [dataset] = ended["inputs"]
    assert (dataset["namespace"], dataset["name"]) == ("file", run.dataset.uri)
    assert dataset["facets"]["version"]["datasetVersion"] == run.dataset.digest
    models = [d for d in ended["outputs"] if d["facets"]["datasetType"]["subType"] == "Model"]
    assert [m["facets"]["version"]["datasetVersion"] for m in models] == [run.model.digest]
    assert models[0]["facets"]["datasetType"]["datasetType"] == "MODEL"
    read = of_job(found, "digits.ImageExampleGen", "COMPLETE")["inputs"]
    assert [d["name"] for d in read] == ["/pictures"]
    whole = of_job(found, "digits", "COMPLETE")
    assert [d["name"] for d in whole["inputs"]] == ["/pictures"]
    assert run.pushes[0].destination in [d["name"] for d in whole["outputs"]]
    made = of_job(found, "digits.ImagePreprocessor", "COMPLETE")["outputs"]
    [counted] = [d["outputFacets"] for d in made if d["name"] == run.dataset.uri]
    assert counted["outputStatistics"]["rowCount"] == 10


@pytest.mark.parametrize(("blessed", "status"), [(True, "pass"), (False, "fail")])
def test_rules_of_the_gate_are_tests(runs, blessed, status):
    made = runs.start("one")
    made.data(corpus())
    made.train(b"weights")
    made.evaluate(right=8, of=10, blessed=blessed)
    made.end()
    ended = of_job(events(runs, "one"), "digits.Evaluator", "COMPLETE")
    [test] = ended["run"]["facets"]["test"]["tests"]
    assert (test["type"], test["status"], test["severity"]) == ("top_1", status, "error")
    assert test["name"].startswith("top-1 0.8000 [")


def test_rules_of_the_gate_are_assertions_on_what_it_read(runs):
    made = runs.start("one")
    made.data(corpus())
    made.train(b"weights")
    made.evaluate(8, 10, blessed=True)
    record = made.end()
    ended = of_job(events(runs, "one"), "digits.Evaluator", "COMPLETE")
    [facets_of] = [d["inputFacets"] for d in ended["inputs"] if d["name"] == record.dataset.uri]
    [assertion] = facets_of["dataQualityAssertions"]["assertions"]
    assert (assertion["assertion"], assertion["success"]) == ("top_1", True)


def test_failed_run_fails_with_the_reason(runs):
    failed = runs.start("one")
    failed.data(corpus())
    failed.node("HorovodTrainer", {}, state=4)
    failed.status, failed.said = "failed", "HorovodTrainer failed: no memory"
    failed.end()
    found = events(runs, "one")
    for name in ("digits", "digits.HorovodTrainer"):
        ended = of_job(found, name, "FAIL")
        message = ended["run"]["facets"]["errorMessage"]["message"]
        assert message == "HorovodTrainer failed: no memory"
    assert of_job(found, "digits.ImagePreprocessor", "COMPLETE")


def test_killed_run_is_aborted_when_the_next_one_starts(runs):
    runs.start("killed").data(corpus())
    assert [e["eventType"] for e in events(runs, "killed")] == ["START"]
    runs.start("next")
    assert of_job(events(runs, "killed"), "digits", "ABORT")


def test_override_adds_its_events(runs):
    made = runs.start("one")
    made.all_nodes(blessed=False)
    made.end()
    before = events(runs, "one")
    made.push("1000", OVERRIDE)
    said = {"status": "pushed", "verdict": "blessed by ann", "nodes": []}
    assert recorder.update(runs.store, runs.folder, "one", said) == []
    added = events(runs, "one")[len(before) :]
    assert [(e["job"]["name"], e["eventType"]) for e in added] == [
        ("digits.Pusher", "START"),
        ("digits.Pusher", "COMPLETE"),
    ]


class TestSending:
    """Events on their way to a server."""

    def test_server_gets_what_the_file_has(self, runs, monkeypatch):
        with serving() as server:
            monkeypatch.setenv("OPENLINEAGE_URL", server.url)
            monkeypatch.setenv("OPENLINEAGE_NAMESPACE", "vision")
            run = runs.start("one")
            assert [path for path, _ in server.received] == ["/api/v1/lineage"]
            run.all_nodes(push="1000")
            run.end()
        assert [as_built(body) for _, body in server.received] == events(runs, "one")
        assert {body["job"]["namespace"] for _, body in server.received} == {"vision"}

    def test_configuration_file_is_heeded(self, runs, monkeypatch, tmp_path):
        other = tmp_path / "elsewhere.jsonl"
        transport = {"type": "file", "log_file_path": str(other), "append": True}
        (tmp_path / "openlineage.yml").write_text(yaml.safe_dump({"transport": transport}))
        runs.whole("one")
        sent = [as_built(json.loads(line)) for line in other.read_text().splitlines()]
        assert sent == events(runs, "one")

    def test_repository_of_the_current_folder_is_not_taken_for_the_codes(self, runs, monkeypatch):
        monkeypatch.chdir(Path(__file__).parent)
        with serving() as server:
            monkeypatch.setenv("OPENLINEAGE_URL", server.url)
            runs.whole("one")
        assert [as_built(body) for _, body in server.received] == events(runs, "one")

    @pytest.mark.parametrize("kind", ["refused", "500", "hanging", "no URL"])
    def test_server_that_is_away_is_told_in_one_line(self, runs, monkeypatch, kind):
        monkeypatch.setattr(openlineage_out, "WAIT_SECS", 1.0)
        with serving(500, hanging=kind == "hanging") as server:
            urls = {"refused": "http://127.0.0.1:9", "no URL": "nowhere"}
            monkeypatch.setenv("OPENLINEAGE_URL", urls.get(kind, server.url))
            begun = time.monotonic()
            run = runs.start("one")
            run.all_nodes(push="1000")
            run.end()
            assert time.monotonic() - begun < 8
        assert len(run.told) == 2
        for line in run.told:
            assert line.startswith("OpenLineage: ")
            assert "events not sent: " in line
            assert len(line.splitlines()) == 1
        found = events(runs, "one")
        assert (found[0]["eventType"], found[-1]["eventType"]) == ("START", "COMPLETE")

    def test_nothing_is_sent_where_it_is_switched_off(self, runs, monkeypatch):
        with serving() as server:
            monkeypatch.setenv("OPENLINEAGE_URL", server.url)
            monkeypatch.setenv("OPENLINEAGE_DISABLED", "true")
            runs.whole("one")
        assert server.received == []
        assert events(runs, "one")
