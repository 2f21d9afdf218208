"""Overrides of the gate, in a real SQLite file of ML Metadata."""

import json
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.portable import execution_publish_utils
from tfx.orchestration.portable.mlmd import context_lib
from tfx.types import standard_artifacts

from components import saved_models
from components.artifacts import Verdict as VerdictArtifact
from components.evaluator import executor as evaluator_executor
from components.evaluator import verdict
from components.pusher import executor as pusher_executor
from pipeline import bless, cli, served_override
from pipeline.mlmd.connection import locate, open_store
from pipeline.mlmd.handle import Handle
from pipeline.mlmd.run_record import RunRecord
from pipeline.node_result import NodeResult
from pipeline.report import summary
from preprocessing.errors import InputError

RUN = "20260131-120000"
NOT_BLESSED = verdict.Verdict(
    blessed=False,
    metrics={
        "top_1": 0.9, "top_5": 1.0, "loss": 0.3, "expected_calibration_error": 0.02,
        "top_1_interval": [0.77, 0.96], "top_5_interval": [0.91, 1.0], "example_count": 40,
    },
    baseline=None,
    rules=[verdict.Rule("top_1", False, "top-1 0.9000 [0.7695, 0.9604], minimum 0.9500")],
    slices=[],
)  # fmt: skip
OVERRIDE = verdict.Override("the camera was broken", "ann", "2026-01-31T13:00:00Z")


class _Run:
    """A run whose model was not blessed, as the launcher leaves it behind."""

    def __init__(self, folder: Path, artifact, serves: bool = True, blessed: bool = False):
        self.folder, self.push_dir = folder, folder / "serving" / "digits"
        self.connection = locate("", folder / "metadata.sqlite")
        model = artifact(standard_artifacts.Model, folder / "model")
        saved = folder / "model" / "Format-Serving"
        saved.mkdir()
        (saved / "saved_model.pb").write_bytes(b"graph")
        check = artifact(standard_artifacts.InfraBlessing, folder / "check")
        check.set_int_custom_property("blessed", int(serves))
        blessing = artifact(standard_artifacts.ModelBlessing, folder / "blessing")
        judged = artifact(VerdictArtifact, folder / "verdict")
        said = (
            NOT_BLESSED if not blessed else verdict.Verdict(True, NOT_BLESSED.metrics, None, [], [])
        )
        evaluator_executor.write_verdict(judged, said)
        evaluator_executor.write_blessing(blessing, said, model)
        (folder / "verdict" / "confusion.json").write_text("[]")
        pushed = artifact(standard_artifacts.PushedModel, folder / "pushed")
        with Handle(self.connection) as handle:
            self._publish(handle, "HorovodTrainer", {}, {"model": model})
            self._publish(
                handle, "Evaluator", {"model": model}, {"blessing": blessing, "verdict": judged}
            )
            self._publish(handle, "ServingValidator", {"model": model}, {"blessing": check})
            inputs = {"model": model, "model_blessing": blessing, "infra_blessing": check}
            lists = {key: [value] for key, value in inputs.items()}
            parameters = {"push_dir": str(self.push_dir)}
            pusher_executor.Executor().Do(lists, {"pushed_model": [pushed]}, parameters)
            self._publish(handle, "Pusher", inputs, {"pushed_model": pushed}, parameters)

    def _publish(self, handle, node, inputs, outputs, parameters=None) -> None:
        contexts = [
            context_lib.register_context_if_not_exists(handle, kind, name)
            for kind, name in (
                ("pipeline", "digits"),
                ("pipeline_run", RUN),
                ("node", f"digits.{node}"),
            )
        ]
        execution = execution_publish_utils.register_execution(
            handle,
            metadata_store_pb2.ExecutionType(name=f"components.{node}"),
            contexts,
            {key: [value] for key, value in inputs.items()},
            parameters,
        )
        published, _ = execution_publish_utils.publish_succeeded_execution(
            handle, execution.id, contexts, {key: [value] for key, value in outputs.items()}
        )
        for key, value in outputs.items():
            value.set_mlmd_artifact(published[key][0].mlmd_artifact)

    def bless(self, run_id: str = RUN, override: verdict.Override = OVERRIDE) -> bless.Blessed:
        return bless.bless(self.connection, run_id, override, self.folder / "artifacts")

    def versions(self) -> list[int]:
        return saved_models.versions(str(self.push_dir))


def test_model_is_pushed_and_the_override_is_visible(tmp_path, artifact):
    run = _Run(tmp_path, artifact)
    assert run.versions() == []
    blessed = run.bless()
    [version] = run.versions()
    assert blessed.version == str(version)
    served = Path(blessed.destination)
    assert [p.name for p in served.iterdir()] == ["saved_model.pb"]  # the model as it was trained
    note = json.loads((run.push_dir / f"{version}.override.json").read_text())
    assert (note["reason"], note["user"], note["run"]) == (OVERRIDE.reason, "ann", RUN)
    text = Path(blessed.outputs[bless.VERDICT].uri, "verdict.txt").read_text()
    assert "minimum 0.9500: not blessed" in text
    assert text.endswith(
        "blessed by ann at 2026-01-31T13:00:00Z against the gate: the camera was broken\n"
    )


def test_override_stands_in_metadata_with_its_story(tmp_path, artifact):
    run = _Run(tmp_path, artifact)
    run.bless()
    with Handle(run.connection) as handle:
        store = handle.store
        context = store.get_context_by_type_and_name("pipeline_run", RUN)
        executions = {e.type: e for e in store.get_executions_by_context(context.id)}
        override = executions["pipeline.bless.GateOverride"]
        assert override.last_known_state == metadata_store_pb2.Execution.COMPLETE
        said = {key: value.string_value for key, value in override.custom_properties.items()}
        assert said["reason"] == OVERRIDE.reason
        assert (said["user"], said["time"]) == (OVERRIDE.user, OVERRIDE.time)
        [pushed] = [
            a for a in store.get_artifacts_by_type("PushedModel")
            if a.custom_properties["pushed"].int_value
        ]  # fmt: skip
        assert pushed.custom_properties["override_reason"].string_value == OVERRIDE.reason
        assert pushed.custom_properties["override_user"].string_value == "ann"
        # From the pushed model back to the decision, and from there to the gate's own verdict.
        events = store.get_events_by_artifact_ids([pushed.id])
        pusher = store.get_events_by_execution_ids([events[0].execution_id])
        inputs = {e.path.steps[0].key: e.artifact_id for e in pusher if e.type == e.INPUT}
        [blessing] = store.get_artifacts_by_id([inputs["model_blessing"]])
        assert blessing.custom_properties["blessed"].int_value == 1
        assert blessing.custom_properties["override_time"].string_value == OVERRIDE.time
        of_override = store.get_events_by_execution_ids([override.id])
        assert blessing.id in [e.artifact_id for e in of_override if e.type == e.OUTPUT]
        verdicts = {a.id: a for a in store.get_artifacts_by_type("Verdict")}
        [before] = [
            verdicts[e.artifact_id]
            for e in of_override
            if e.type == e.INPUT and e.artifact_id in verdicts
        ]
        assert before.custom_properties["blessed"].int_value == 0


def test_versions_keep_growing(tmp_path, artifact):
    run = _Run(tmp_path, artifact)
    far = run.push_dir / "99999999999"
    far.mkdir(parents=True)
    (far / "saved_model.pb").write_bytes(b"another graph")
    assert run.bless().version == "100000000000"


def test_failed_serving_check_cannot_be_overridden(tmp_path, artifact):
    run = _Run(tmp_path, artifact, serves=False)
    with pytest.raises(InputError, match="failed the serving check"):
        run.bless()
    assert run.versions() == []


def test_nothing_to_override(tmp_path, artifact):
    run = _Run(tmp_path, artifact, blessed=True)
    with pytest.raises(InputError, match="nothing to override"):
        run.bless()


def test_unknown_run_names_those_there_are(tmp_path, artifact):
    run = _Run(tmp_path, artifact)
    with pytest.raises(InputError, match=f"'yesterday'; the last ones are: {RUN}"):
        run.bless("yesterday")


def test_push_that_fails_is_recorded_and_leaves_nothing(tmp_path, artifact):
    run = _Run(tmp_path, artifact)
    (tmp_path / "serving").write_text("a file where the folder should be")
    with pytest.raises(pusher_executor.PushError, match="not pushed"):
        run.bless()
    with Handle(run.connection) as handle:
        states = [
            e.last_known_state
            for e in handle.store.get_executions_by_type("components.pusher.component.Pusher")
        ]
        assert states == [metadata_store_pb2.Execution.FAILED]
    assert not list((tmp_path / "artifacts" / "Pusher").glob("*/*"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["latest", "--reason", " "], "--reason must say why"),
        (["latest", "--reason", "x"], "no run has ended"),
        ([RUN, "--reason", "x"], "RUN must be a run in"),
    ],
)
def test_wrong_arguments(tmp_path, capsys, arguments, said):
    assert cli.main(["bless", *arguments, "--output_dir", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err


def results_of(run: _Run) -> list[NodeResult]:
    """What a repetition of the run takes from the cache."""
    with Handle(run.connection) as handle:
        record = RunRecord(handle, RUN, run.folder)
        by_node: dict[str, dict] = {}
        for (node, key), made in record.outputs.items():
            by_node.setdefault(node, {})[key] = made.mlmd_artifact
    return [NodeResult(node, "cached", 0.1, outputs) for node, outputs in by_node.items()]


def summary_of(run: _Run, results: list[NodeResult]) -> dict:
    found = served_override.with_override(open_store(run.connection), results, str(run.push_dir))
    return summary.summarize(RUN, found, run.folder / "index.html")


@pytest.fixture
def repeated(tmp_path, artifact):
    """A run that was overridden, and what the cache gives to a repetition of it."""
    run = _Run(tmp_path, artifact)
    results = results_of(run)
    run.bless()
    return run, results


def test_repeated_run_says_that_its_model_is_served_by_an_override(repeated):
    run, results = repeated
    found = summary_of(run, results)
    [version] = run.versions()
    assert found["status"] == "pushed"
    assert found["pushed_to"] == str(run.push_dir / str(version))
    assert found["verdict"] == (
        "blessed by ann at 2026-01-31T13:00:00Z against the gate: the camera was broken"
    )
    assert "the gate said: not blessed" in found["gate"]
    assert found["override"] == {
        "version": str(version),
        "reason": OVERRIDE.reason,
        "user": "ann",
        "time": OVERRIDE.time,
    }


def test_override_does_not_stand_when_another_model_is_served(repeated):
    run, results = repeated
    [version] = run.versions()
    newer = run.push_dir / str(version + 1)
    newer.mkdir()
    (newer / "saved_model.pb").write_bytes(b"another graph")
    assert summary_of(run, results)["status"] == "not_blessed"


def test_override_does_not_stand_for_another_model_or_without_its_version(repeated):
    run, results = repeated
    (run.folder / "model" / "Format-Serving" / "saved_model.pb").write_bytes(b"trained anew")
    assert summary_of(run, results)["status"] == "not_blessed"
    (run.folder / "model" / "Format-Serving" / "saved_model.pb").write_bytes(b"graph")
    assert summary_of(run, results)["status"] == "pushed"
    [version] = run.versions()
    (run.push_dir / str(version) / "saved_model.pb").unlink()
    assert summary_of(run, results)["status"] == "not_blessed"


def test_refused_run_without_an_override_stays_refused(tmp_path, artifact):
    run = _Run(tmp_path, artifact)
    found = summary_of(run, results_of(run))
    assert (found["status"], found["override"]) == ("not_blessed", None)
