"""The result of a run, as `summary.json` has it."""

import importlib.metadata
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ml_metadata.proto import metadata_store_pb2

from components.evaluator import verdict
from components.example_validator.anomaly import refused_anomalies
from components.example_validator.executor import ITEMS_FILE
from components.example_validator.executor import JSON_FILE as ANOMALIES_FILE
from components.stored_names import SERVING_CHECK_FILE
from pipeline.node_result import NodeResult
from preprocessing import failures, features
from preprocessing.errors import UnusableCorpusError
from preprocessing.files.new_file import write_text
from preprocessing.stage.copies import DROP
from preprocessing.stage.counts import copy_warnings, equations

PUSHED, NOT_BLESSED, FAILED, PARTIAL = "pushed", "not_blessed", "failed", "partial"
# The stacks of constraints/, known by TensorFlow's version.
_STACKS = {"2.16": "base", "2.21": "modern"}


def output(
    results: Sequence[NodeResult], node: str, key: str
) -> metadata_store_pb2.Artifact | None:
    """The output artifact `key` of a node, or None if the node made none."""
    for result in results:
        if result.id == node:
            return result.outputs.get(key)
    return None


def output_file(results: Sequence[NodeResult], node: str, key: str, file: str) -> str | None:
    """The path of a file in an output artifact, or None if there is none."""
    artifact = output(results, node, key)
    path = Path(artifact.uri, file) if artifact is not None else None
    # What an earlier version of a node made may lack the file.
    return str(path) if path is not None and path.exists() else None


def output_json(results: Sequence[NodeResult], node: str, key: str, file: str) -> Any:
    """The content of a JSON file in an output artifact, or None if there is none."""
    path = output_file(results, node, key, file)
    return None if path is None else json.loads(Path(path).read_text(encoding="utf-8"))


def summarize(
    run_id: str,
    results: Sequence[NodeResult],
    report: Path,
    failure: str | None = None,
    cause: BaseException | None = None,
) -> dict[str, Any]:
    """Says what became of a run.

    All values come from the artifacts, so that a run that was taken from the cache has them too.

    Args:
      run_id: the run.
      results: what became of its nodes.
      report: the run's page.
      failure: one line that says why the run failed, None if it did not.
      cause: the error that failed it, which may say more.

    Returns:
      The content of `summary.json`.
    """
    gate = judged(results)
    pushed = _pushed_to(results)
    model = output(results, "HorovodTrainer", "model")
    return {
        "run_id": run_id,
        "status": FAILED if failure is not None else _status(results, gate, pushed),
        "stack": stack(),
        "nodes": [
            {
                "id": r.id,
                "state": r.state,
                "secs": round(r.secs, 2),
                "why": r.why,
                "peak_memory_mb": r.peak_memory_mb,
            }
            for r in results
        ],
        "top_1": gate.metrics[verdict.TOP_1] if gate else None,
        "top_5": gate.metrics.get(verdict.TOP_5) if gate else None,
        "verdict": failure if failure is not None else _reason(gate, results),
        "gate": gate.lines() if gate else [],
        "exports": _exports(results),
        "model": os.path.join(model.uri, "Format-Serving") if model else None,
        "pushed_to": pushed,
        "override": _override(results),
        "report": str(report),
        **_images(results, failures.unusable_corpus(cause) if cause is not None else None),
        "anomalies": (refused_anomalies(cause) if cause is not None else [])
        or output_json(results, "ExampleValidator", "anomalies", ANOMALIES_FILE)
        or [],
        "anomaly_items": output_file(results, "ExampleValidator", "anomalies", ITEMS_FILE),
    }


def _images(results: Sequence[NodeResult], stopped: UnusableCorpusError | None) -> dict[str, Any]:
    """What is known of the images; of those of a stopped run, what the stop says."""
    ingestion = output_json(results, "ImageExampleGen", "examples", features.INGESTION_FILE) or {}
    if stopped is not None:
        counts, lists = stopped.counts, stopped.lists or None
    else:
        of_node = ("ImagePreprocessor", "transformed_examples", features.COUNTS_FILE)
        counts = output_json(results, *of_node) or {}
        quarantine = output(results, "ImagePreprocessor", "quarantine")
        lists = quarantine.uri if quarantine else None
    counts = {"seen": ingestion.get("images"), **counts}
    conflicts = counts.get("label_conflicts")
    if conflicts is not None:
        left_out = counts["on_duplicate"] == DROP
        to_leave_out = None if left_out else "data.on_duplicate=drop"
        conflicts = {**conflicts, "left_out": left_out, "to_leave_out": to_leave_out}
    return {
        "images": {key: counts.get(key) for key in ("seen", "used", "quarantined", "duplicates")},
        "unusable": counts.get("reasons", {}),
        "image_sums": equations(counts) if "splits" in counts else [],
        "left_out": ingestion.get("left_out", {}),
        "notes": ingestion.get("notes", []),
        "label_conflicts": conflicts,
        "copies": copy_warnings(counts, "--set data.on_duplicate=drop") if conflicts else [],
        "quarantine": lists,
    }


def stack() -> str:
    """`base` or `modern`, or TensorFlow's version where it belongs to neither."""
    version = importlib.metadata.version("tensorflow")
    return _STACKS.get(".".join(version.split(".")[:2]), f"tensorflow {version}")


def write(path: Path, summary: dict[str, Any]) -> None:
    """Writes `summary.json`; a reader sees the old content or the new, never a part."""
    write_text(path, json.dumps(summary, indent=2) + "\n")


def judged(results: Sequence[NodeResult]) -> verdict.Verdict | None:
    """What the gate said, None if the run did not get as far."""
    artifact = output(results, "Evaluator", "verdict")
    if artifact is None:
        return None
    text = Path(artifact.uri, verdict.JSON_FILE).read_text(encoding="utf-8")
    return verdict.Verdict.from_json(text)


def _status(results: Sequence[NodeResult], gate: verdict.Verdict | None, pushed: str | None) -> str:
    """`partial` is a run that ends before the Pusher and in which nothing said no."""
    if pushed:
        return PUSHED
    check = output_json(results, "ServingValidator", "blessing", SERVING_CHECK_FILE)
    refused = (gate is not None and not gate.blessed) or (
        check is not None and not check["blessed"]
    )
    whole = output(results, "Pusher", "pushed_model") is not None
    return NOT_BLESSED if whole or refused else PARTIAL


def _reason(gate: verdict.Verdict | None, results: Sequence[NodeResult]) -> str:
    """The line of the gate; where the gate said yes and the serving check no, the latter's."""
    check = output_json(results, "ServingValidator", "blessing", SERVING_CHECK_FILE)
    if gate is not None and gate.blessed and check is not None and not check["blessed"]:
        return f"not blessed: {check['reason']}"
    if gate is not None:
        return gate.reason()
    last = [result.id for result in results if result.state in ("ran", "cached")][-1:]
    return f"partial run, up to {last[0]}: not evaluated" if last else "not evaluated"


def _exports(results: Sequence[NodeResult]) -> list[str]:
    """A line for each further variant of the model: what it loses against the export."""
    check = output_json(results, "ServingValidator", "blessing", SERVING_CHECK_FILE) or {}
    return [
        f"{entry['name']}: top-1 {entry['top_1']:.4f}, change {entry['top_1_change']:+.4f}; "
        f"probabilities {_differ(entry['max_difference'])}, allowed "
        f"{entry['tolerance']:.2g}: {'parity' if entry['parity'] else 'no parity'}"
        for entry in check.get("extra_exports", [])
    ]


def _differ(difference: float | None) -> str:
    return "are not all finite" if difference is None else f"differ by {difference:.2g} at most"


def _override(results: Sequence[NodeResult]) -> dict[str, str] | None:
    """Who overrode the gate, when and why, if the model is served for that; None otherwise."""
    artifact = output(results, "Pusher", "pushed_model")
    if artifact is None or "override_time" not in artifact.custom_properties:
        return None
    names = ("pushed_version", "override_reason", "override_user", "override_time")
    values = [artifact.custom_properties[name].string_value for name in names]
    return dict(zip(("version", "reason", "user", "time"), values, strict=True))


def _pushed_to(results: Sequence[NodeResult]) -> str | None:
    artifact = output(results, "Pusher", "pushed_model")
    if artifact is None or not artifact.custom_properties["pushed"].int_value:
        return None
    return artifact.custom_properties["pushed_destination"].string_value
