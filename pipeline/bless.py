"""Serves a model that the gate did not bless, because a person says so.

The decision is an execution of its own in the story of the run, with the model, the gate's verdict
and its blessing as inputs, and a new verdict and blessing as outputs. Then the Pusher's executor
does what it always does, with the new blessing: one rename, a version that is the newest.
"""

import dataclasses
import json
import posixpath
from pathlib import Path

from tfx import types
from tfx.types import standard_artifacts
from tfx.utils import io_utils

from components.artifacts import Verdict as VerdictArtifact
from components.evaluator import executor as evaluator_executor
from components.evaluator import verdict
from components.evaluator.verdict import Override
from components.pusher import executor as pusher_executor
from pipeline.mlmd import names
from pipeline.mlmd.connection import Connection
from pipeline.mlmd.handle import Handle
from pipeline.mlmd.run_record import RunRecord
from preprocessing.errors import InputError

NODE_ID = "GateOverride"
# What is needed of a run: node and output key.
MODEL = ("HorovodTrainer", "model")
BLESSING = ("Evaluator", "blessing")
VERDICT = ("Evaluator", "verdict")
SERVING_CHECK = ("ServingValidator", "blessing")
_PUSHER = "Pusher"
# Types of executions as ML Metadata has them: they stay the same wherever the code moves.
_PUSHER_TYPE = "components.pusher.component.Pusher"
_OVERRIDE_TYPE = "pipeline.bless.GateOverride"


@dataclasses.dataclass(frozen=True)
class Blessed:
    """What became of an override.

    Attributes:
      destination: folder of the version that is served now.
      version: its number.
      verdict: the gate's verdict with the override.
      outputs: the run's output artifacts by node and key, the new verdict and push among them.
    """

    destination: str
    version: str
    verdict: verdict.Verdict
    outputs: dict[tuple[str, str], types.Artifact]


def bless(connection: Connection, run_id: str, override: Override, artifacts_dir: Path) -> Blessed:
    """Overrides the gate for a run, and pushes its model.

    Args:
      connection: where ML Metadata is.
      run_id: the run whose model is to be served.
      override: who decided, when and why.
      artifacts_dir: folder for the new artifacts.

    Raises:
      InputError: the run is not known, did not get as far as that, was blessed anyway, or its
        model failed the serving check, which no override can heal.
    """
    with Handle(connection) as handle:
        record = RunRecord(handle, run_id, artifacts_dir)
        _check(record)
        text = io_utils.read_string_file(
            posixpath.join(record.outputs[VERDICT].uri, verdict.JSON_FILE)
        )
        judged = dataclasses.replace(
            verdict.Verdict.from_json(text), blessed=True, override=override
        )
        blessing, new_verdict = _override(record, judged, override)
        pushed = _push(record, blessing, override)
    version = pushed.get_string_custom_property("pushed_version")
    destination = pushed.get_string_custom_property("pushed_destination")
    # Beside the version and not in it: a served model is the trained one, byte for byte.
    note = {"version": version, "run": run_id, **dataclasses.asdict(override)}
    io_utils.write_string_file(f"{destination}.override.json", json.dumps(note, indent=2) + "\n")
    outputs = {**record.outputs, VERDICT: new_verdict, (_PUSHER, "pushed_model"): pushed}
    return Blessed(destination, version, judged, outputs)


def _check(record: RunRecord) -> None:
    for node, key in (MODEL, BLESSING, VERDICT, SERVING_CHECK, (_PUSHER, "pushed_model")):
        if (node, key) not in record.outputs:
            raise InputError(
                f"RUN must have gone through the gate to its end. Received: {record.run_id!r}, in "
                f"which {node} made no {key}; run the pipeline again"
            )
    model = record.outputs[MODEL]
    if model.get_string_custom_property(names.PRUNED):
        raise InputError(
            f"the model must still be there. Received: run {record.run_id!r}, whose model was "
            f"pruned; run the pipeline again with its settings"
        )
    if record.outputs[BLESSING].get_int_custom_property("blessed"):
        raise InputError(f"the gate blessed run {record.run_id!r}: there is nothing to override")
    check = record.outputs[SERVING_CHECK]
    if not check.get_int_custom_property("blessed"):
        raise InputError(
            f"the model of run {record.run_id!r} failed the serving check, which no override can "
            f"heal, as it does not serve what was trained; see {check.uri}"
        )


def _override(
    record: RunRecord, judged: verdict.Verdict, override: Override
) -> tuple[types.Artifact, types.Artifact]:
    """Adds the decision to the run; returns the new blessing and verdict."""
    inputs = {
        "model": [record.outputs[MODEL]],
        "blessing": [record.outputs[BLESSING]],
        "verdict": [record.outputs[VERDICT]],
    }
    blessing, new_verdict = standard_artifacts.ModelBlessing(), VerdictArtifact()
    with record.execution(
        NODE_ID,
        _OVERRIDE_TYPE,
        inputs,
        dataclasses.asdict(override),
        {"blessing": blessing, "verdict": new_verdict},
    ):
        io_utils.copy_file(
            posixpath.join(record.outputs[VERDICT].uri, verdict.CONFUSION_FILE),
            posixpath.join(new_verdict.uri, verdict.CONFUSION_FILE),
        )
        evaluator_executor.write_verdict(new_verdict, judged)
        evaluator_executor.write_blessing(blessing, judged, record.outputs[MODEL])
    return blessing, new_verdict


def _push(record: RunRecord, blessing: types.Artifact, override: Override) -> types.Artifact:
    """Runs the Pusher's executor, into the folder that the run itself would have pushed to."""
    inputs = {
        "model": [record.outputs[MODEL]],
        "model_blessing": [blessing],
        "infra_blessing": [record.outputs[SERVING_CHECK]],
    }
    parameters = {"push_dir": record.parameter(_PUSHER, "push_dir")}
    pushed = standard_artifacts.PushedModel()
    made = {"pushed_model": pushed}
    with record.execution(_PUSHER, _PUSHER_TYPE, inputs, parameters, made):
        pusher_executor.Executor().Do(inputs, {"pushed_model": [pushed]}, parameters)
        evaluator_executor.set_override(pushed, override)
    return pushed
