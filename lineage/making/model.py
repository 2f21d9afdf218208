"""The parts of a record about the model: training, baseline, evaluation, pushes."""

import json
from pathlib import Path, PurePosixPath
from typing import Any

from components.content_digest import digest_of_files, digest_of_folder
from components.evaluator import predictions, verdict
from components.stored_names import JOB_CONFIG, SERVED_AT, SERVED_BY, SERVING_CHECK_FILE
from lineage.making.artifact_files import read_json
from lineage.making.outputs import Outputs
from lineage.record.parts import (
    Artifact,
    Baseline,
    Evaluation,
    Model,
    Node,
    Override,
    Push,
)
from pipeline.cache import fingerprints
from trainer_module.run_files import SUMMARY_FILE

_GRAPH_FILE = "saved_model.pb"
_WEIGHTS_ENDING = ".weights.h5"
# What the Verdict artifact has as properties, for where its file cannot be read.
_METRICS = ("top_1", "top_5", "loss", "expected_calibration_error", "example_count")


def model(outputs: Outputs) -> Model | None:
    """The model that HorovodTrainer made, None where it made nothing."""
    node = outputs.node("HorovodTrainer")
    made = outputs.artifact("HorovodTrainer", "model")
    if node is None or made is None:
        return None
    run = outputs.artifact("HorovodTrainer", "model_run")
    config = json.loads(str(node.properties.get(JOB_CONFIG) or "{}"))
    return Model(
        digest=_saved_model_digest(made),
        weights_sha256=str(made.properties.get("weights_sha256", "")),
        artifact_id=made.id,
        uri=made.uri,
        made_in_run=made.made_in_run,
        weights_files=_weights_files(run),
        training=(read_json(run.uri, SUMMARY_FILE) if run is not None else None) or {},
        init_weights=config.get("init_weights", ""),
        init_weights_sha256=str(node.properties.get("init_weights_sha256", "")),
    )


def baseline(outputs: Outputs) -> Baseline | None:
    """The served model that the candidate was compared with, None where there was none."""
    node = outputs.node("LatestBlessedModel")
    made = outputs.artifact("LatestBlessedModel", "baseline_model")
    if node is None or made is None or "version" not in made.properties:
        return None
    chosen = str(node.properties.get("baseline", ""))
    return Baseline(
        version=str(made.properties["version"]),
        served_from=str(made.properties.get("served_from", "")),
        digest=chosen.partition(":")[2] or _saved_model_digest(made),
    )


def evaluation(outputs: Outputs) -> Evaluation | None:
    """What the gate measured and said, None where the run did not get as far."""
    judged = outputs.artifact("Evaluator", "verdict")
    measured = outputs.artifact("Evaluator", "evaluation")
    if judged is None:
        return None
    blessing = outputs.artifact("ServingValidator", "blessing")
    uri = measured.uri if measured is not None else ""
    answers = Path(uri, predictions.FILE)
    return Evaluation(
        artifact_id=judged.id,
        uri=uri,
        made_in_run=judged.made_in_run,
        predictions=str(answers) if uri and answers.is_file() else "",
        verdict=read_json(judged.uri, verdict.JSON_FILE) or _verdict_of(judged),
        serving_check=read_json(blessing.uri, SERVING_CHECK_FILE) if blessing else None,
    )


def pushes(outputs: Outputs) -> list[Push]:
    """The versions that the run's executions of Pusher made, in order."""
    found = {}
    for node in outputs.nodes:
        for artifact in outputs.artifacts:
            if artifact.id in node.outputs.get("pushed_model", []):
                push = _push(node, artifact)
                if push is not None:
                    found[push.destination] = push
    return list(found.values())


def _push(node: Node, artifact: Artifact) -> Push | None:
    said = artifact.properties
    if not said.get("pushed"):
        return None
    override = None
    if said.get("override_time"):
        override = Override(
            reason=said.get("override_reason", ""),
            user=said.get("override_user", ""),
            time=said["override_time"],
        )
    return Push(
        version=str(said.get("pushed_version", "")),
        destination=str(said.get("pushed_destination", "")),
        time=artifact.made,
        override=override,
        served_by=str(said.get(SERVED_BY, "")),
        served_at=str(said.get(SERVED_AT, "")),
    )


def _saved_model_digest(made: Artifact) -> str:
    """Over the SavedModel's files, as those of a pushed version; empty where it is not here."""
    noted = fingerprints.published(made.uri)
    for name in noted:
        if PurePosixPath(name).name == _GRAPH_FILE:
            folder = name.removesuffix(_GRAPH_FILE)
            inside = {n.removeprefix(folder): d for n, d in noted.items() if n.startswith(folder)}
            return digest_of_files(inside)
    graphs = [*Path(made.uri).glob(_GRAPH_FILE), *Path(made.uri).glob(f"*/{_GRAPH_FILE}")]
    return digest_of_folder(graphs[0].parent) if graphs else ""


def _weights_files(run: Artifact | None) -> dict[str, str]:
    """Digests of the weights that a training left, from which another one may start."""
    noted = fingerprints.published(run.uri) if run is not None else {}
    return {n: d for n, d in noted.items() if n.endswith(_WEIGHTS_ENDING) and "/" not in n}


def _verdict_of(judged: Artifact) -> dict[str, Any]:
    said = judged.properties
    metrics: dict[str, Any] = {name: said[name] for name in _METRICS if name in said}
    if "top_1_low" in said:
        metrics["top_1_interval"] = [said["top_1_low"], said["top_1_high"]]
    blessed = bool(said.get("blessed"))
    return {"blessed": blessed, "reason": said.get("reason", ""), "metrics": metrics}
