"""Runs on a real MLflow server on loopback, and beside servers that are away."""

import json
import time
from pathlib import Path

import loopback_server
import mlflow_server
import pytest
from made_runs import MadeRuns, corpus
from mlflow import MlflowClient

from components.evaluator.verdict import Override
from lineage.exports import mlflow_out
from lineage.making import recorder
from pipeline import config_file, preflight
from pipeline.output_dir import report_dir
from preprocessing.errors import InputError

OVERRIDE = Override("the camera was broken", "ann", "2026-01-31T13:00:00Z")


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> str:
    with mlflow_server.serving(tmp_path_factory.mktemp("mlflow")) as url:
        yield url


@pytest.fixture(autouse=True)
def own_environment(monkeypatch):
    for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME", "OPENLINEAGE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def runs(tmp_path) -> MadeRuns:
    return MadeRuns(tmp_path / "out")


def settings(url: str, **trainer) -> dict:
    return {"pipeline": {"name": "digits", "mlflow_uri": url}, "trainer": trainer}


def where(runs: MadeRuns, run_id: str) -> dict[str, str]:
    path = report_dir(runs.folder, run_id) / mlflow_out.FILE
    return json.loads(path.read_text())


def history(client: MlflowClient, run_id: str, key: str) -> list[tuple[int, float]]:
    return [(metric.step, metric.value) for metric in client.get_metric_history(run_id, key)]


def test_run_is_there_while_it_runs_and_complete_when_it_ended(runs, server):
    made = runs.start("one", **settings(server, max_epochs=3))
    client, ids = MlflowClient(server), where(runs, "one")
    begun = client.get_run(ids["run_id"])
    assert (begun.info.status, begun.info.run_name) == ("RUNNING", "one")
    assert client.get_experiment(begun.info.experiment_id).name == "digits"
    made.all_nodes(push="1000")
    assert made.told == []
    record = made.end()
    page = f"{server}/#/experiments/{ids['experiment_id']}/runs/{ids['run_id']}"
    assert made.told == [f"mlflow     {page}"]
    found = client.get_run(ids["run_id"])
    assert (found.info.status, found.info.run_name) == ("FINISHED", "one")
    assert found.info.start_time == 1000 * int(record.run.started.timestamp())
    assert found.data.params["trainer.max_epochs"] == "3"
    assert found.data.params["evaluation.min_top_1"] == "0.5"
    assert found.data.metrics["top_1"] == 0.8
    assert found.data.metrics["top_1_low"] == pytest.approx(0.4902, abs=1e-4)
    assert found.data.metrics["images_used"] == 10
    assert found.data.tags["effnet.pushed_version"] == "1000"
    assert found.data.tags["effnet.pushed_to"] == record.pushes[0].destination
    assert found.data.tags["effnet.model_uri"] == record.model.uri
    assert found.data.tags["effnet.dataset"] == record.dataset.digest
    assert found.data.tags["mlflow.source.git.commit"] == record.code.commit


def test_training_is_a_run_below_with_its_metrics_by_step(runs, server):
    record = runs.whole("one", settings(server, max_epochs=3))
    client, ids = MlflowClient(server), where(runs, "one")
    children = client.search_runs(
        [ids["experiment_id"]], f"tags.mlflow.parentRunId = '{ids['run_id']}'"
    )
    assert [child.info.run_id for child in children] == [ids["training_run_id"]]
    [child] = children
    assert (child.info.status, child.info.run_name) == ("FINISHED", "one training")
    assert child.data.params["trainer.max_epochs"] == "3"
    assert "evaluation.min_top_1" not in child.data.params
    assert child.data.tags["effnet.trained_in_run"] == "one"
    assert history(client, child.info.run_id, "loss") == [(8, 1.5)]
    assert history(client, child.info.run_id, "lr") == [(8, 0.1), (15, 0.0)]
    assert history(client, child.info.run_id, "eval_top_1") == [(15, 0.75)]
    assert history(client, child.info.run_id, "final_steps") == [(15, 15.0)]
    times = [m.timestamp for m in client.get_metric_history(child.info.run_id, "lr")]
    assert times[1] - times[0] == 5_000
    assert record.run.state == "pushed"


def test_report_is_uploaded(runs, server, tmp_path):
    made = runs.start("one", **settings(server))
    page = report_dir(runs.folder, "one") / "index.html"
    page.write_text("<p>the report</p>")
    made.all_nodes()
    made.end()
    client, ids = MlflowClient(server), where(runs, "one")
    names = {Path(entry.path).name for entry in client.list_artifacts(ids["run_id"], "report")}
    assert {"index.html", "README.md", "croissant.json", "openlineage.jsonl"} <= names
    got = client.download_artifacts(ids["run_id"], "report/index.html", str(tmp_path))
    assert Path(got).read_text() == "<p>the report</p>"


def test_run_that_the_environment_names_is_the_one(runs, server, monkeypatch):
    client = MlflowClient(server)
    experiment = client.create_experiment("somebody else's")
    given = client.create_run(experiment, run_name="theirs").info.run_id
    client.log_param(given, "trainer.max_epochs", "known already")
    monkeypatch.setenv("MLFLOW_RUN_ID", given)
    made = runs.start("one", **settings(server))
    made.all_nodes()
    made.end()
    assert [line.endswith(f"/runs/{given}") for line in made.told] == [True]
    assert where(runs, "one")["run_id"] == given
    found = client.get_run(given)
    assert (found.info.run_name, found.info.status) == ("theirs", "FINISHED")
    assert found.data.metrics["top_1"] == 0.8
    assert found.data.params["trainer.max_epochs"] == "known already"
    assert found.data.params["evaluation.min_top_1"] == "0.5"
    child = client.get_run(where(runs, "one")["training_run_id"])
    assert child.data.tags["mlflow.parentRunId"] == given
    assert child.info.experiment_id == experiment


def test_run_that_is_named_and_not_there_is_told(runs, server, monkeypatch):
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)
    made = runs.start("one", **settings(server))
    assert len(made.told) == 1
    assert "0" * 32 in made.told[0]


@pytest.mark.parametrize(("state", "status"), [("failed", "FAILED"), ("killed", "KILLED")])
def test_run_that_did_not_end_well(runs, server, state, status):
    made = runs.start("one", **settings(server))
    made.data(corpus())
    if state == "failed":
        made.node("HorovodTrainer", {}, state=4)
        made.status, made.said = "failed", "HorovodTrainer failed: no memory"
        made.end()
    else:
        runs.start("next")
    found = MlflowClient(server).get_run(where(runs, "one")["run_id"])
    assert found.info.status == status
    assert found.data.tags["effnet.state"] == state
    assert "training_run_id" not in where(runs, "one")


def test_override_is_added_to_the_same_run(runs, server):
    made = runs.start("one", **settings(server))
    made.all_nodes(blessed=False)
    made.end()
    before = where(runs, "one")
    made.push("1000", OVERRIDE)
    said = {"status": "pushed", "verdict": "blessed by ann", "nodes": []}
    [told] = recorder.update(runs.store, runs.folder, "one", said)
    assert told.endswith(f"/runs/{before['run_id']}")
    assert where(runs, "one") == before
    tags = MlflowClient(server).get_run(before["run_id"]).data.tags
    assert (tags["effnet.state"], tags["effnet.override"]) == ("pushed", OVERRIDE.reason)
    assert tags["effnet.pushed_version"] == "1000"


class TestAway:
    """Servers that do not answer as they should."""

    @pytest.mark.parametrize("kind", ["refused", "500", "hanging"])
    def test_is_told_in_one_line_and_costs_a_bounded_time(self, runs, monkeypatch, kind):
        monkeypatch.setattr(mlflow_out, "START_WAIT_SECS", 2.0)
        with loopback_server.serving(500, hanging=kind == "hanging") as away:
            url = "http://127.0.0.1:9" if kind == "refused" else away.url
            begun = time.monotonic()
            made = runs.start("one", **settings(url))
            made.all_nodes(push="1000")
            assert made.end().run.state == "pushed"
            assert time.monotonic() - begun < 20
        assert len(made.told) == 2
        for line in made.told:
            assert line.startswith(f"MLflow: the run is not on {url}, or not all of it: ")
            assert len(line.splitlines()) == 1
        assert not (report_dir(runs.folder, "one") / mlflow_out.FILE).exists()

    def test_server_that_comes_later_has_the_run_all_the_same(self, runs, server, monkeypatch):
        made = runs.start("one", **settings(server))
        (report_dir(runs.folder, "one") / mlflow_out.FILE).unlink()
        made.all_nodes()
        made.end()
        found = MlflowClient(server).get_run(where(runs, "one")["run_id"])
        assert found.info.status == "FINISHED"

    def test_is_off_by_default(self, runs):
        with loopback_server.serving() as somebody:
            made = runs.start("one")
            made.all_nodes()
            made.end()
        assert somebody.received == []
        assert made.told == []


class TestConfig:
    """`pipeline.mlflow_uri`."""

    @pytest.mark.parametrize(
        "uri", ["mlflow:5000", "ftp://a", "http://", "http://me:secret@mlflow:5000", "http://a b"]
    )
    def test_what_is_no_server_is_refused_without_its_password(self, tmp_path, uri):
        path = tmp_path / "config.yaml"
        path.write_text("data: {path: x}\nevaluation: {min_top_1: 0.5}\n")
        with pytest.raises(InputError, match=r"pipeline\.mlflow_uri: must be http://HOST") as error:
            config_file.load(path, [f"pipeline.mlflow_uri={uri}"])
        assert "secret" not in str(error.value)
        assert len(str(error.value).splitlines()) == 1

    def test_client_that_is_not_installed_is_told_before_anything_runs(self, monkeypatch):
        preflight.check_mlflow("http://mlflow:5000")
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        preflight.check_mlflow("")
        with pytest.raises(InputError, match="needs MLflow's client, which is not installed"):
            preflight.check_mlflow("http://mlflow:5000")
