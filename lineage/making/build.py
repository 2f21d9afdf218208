"""Makes the record of a run: of what is known at its start, and of what ML Metadata has then."""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from lineage.making import data, model
from lineage.making.outputs import Outputs
from lineage.record.parts import Node, Override, Push
from lineage.record.run import Run
from lineage.store import executions
from pipeline.mlmd import names


def complete(
    start: Run,
    store: metadata_store.MetadataStore,
    context: metadata_store_pb2.Context,
    summary: Mapping[str, Any] | None = None,
) -> Run:
    """Adds to a record what the run has done so far.

    Args:
      start: the record so far; what it says of settings, code and machine stays.
      store: where the run's executions are.
      context: that of the run.
      summary: the content of `summary.json` where the run has ended just now.
    """
    found = executions.read(store, context)
    told = {node["id"]: node for node in summary["nodes"]} if summary is not None else {}
    known = {node.execution_id: node for node in start.nodes}
    nodes = [_told(node, known, told, found.times_ms) for node in found.nodes]
    ran = {node.id for node in nodes}
    skipped = [Node(id=i, state=n["state"], why=n["why"]) for i, n in told.items() if i not in ran]
    outputs = Outputs(nodes, found.artifacts)
    run = start.run
    if summary is not None:
        run = run.model_copy(update={"state": summary["status"], "said": summary["verdict"]})
    return Run.model_validate(
        start.model_dump()
        | {
            "run": run,
            "source": data.source(outputs),
            "dataset": data.dataset(outputs),
            "model": model.model(outputs),
            "baseline": model.baseline(outputs),
            "evaluation": model.evaluation(outputs),
            "pushes": model.pushes(outputs) or _standing_override(start, summary),
            "nodes": [*nodes, *(skipped or [n for n in start.nodes if n.state == "skipped"])],
            "artifacts": found.artifacts,
        }
    )


def _standing_override(start: Run, summary: Mapping[str, Any] | None) -> list[Push]:
    """The push of a person's decision in an earlier run, which the model is still served by."""
    said = summary.get("override") if summary is not None else None
    if not said:
        return start.pushes
    decision = Override(reason=said["reason"], user=said["user"], time=said["time"])
    return [
        Push(
            version=said["version"],
            destination=summary["pushed_to"],
            time=decision.time,
            override=decision,
        )
    ]


def ended(run: Run, now: datetime.datetime) -> Run:
    """The record of a run that ended just now."""
    secs = round((now - run.run.started).total_seconds(), 2)
    info = run.run.model_copy(update={"ended": now, "secs": secs})
    return run.model_copy(update={"run": info})


def from_store(
    store: metadata_store.MetadataStore, context: metadata_store_pb2.Context, root: str
) -> Run:
    """The record of a run that left none: one of an earlier version, or of another pipeline.

    Settings, code and versions are not known then.
    """
    found = executions.read(store, context)
    said = context.custom_properties
    known = [n for n in (names.OUTPUT_DIR, names.OUTPUT_ID, names.HOST) if n in said]
    last = max((end for _, end in found.times_ms.values()), default=0)
    started = executions.time_of(context.create_time_since_epoch)
    state = state_of(found.nodes, Outputs(found.nodes, found.artifacts))
    start = Run.model_validate(
        {
            "run": {
                "id": context.name,
                "pipeline": _pipeline(store, context),
                "state": state,
                "started": started,
                **{name: said[name].string_value for name in known},
                "pid": said[names.PID].int_value if names.PID in said else 0,
            },
            "root": root,
        }
    )
    run = complete(start, store, context)
    if state == "running" or not last:
        return run
    return ended(run, executions.time_of(last))


def state_of(nodes: Sequence[Node], outputs: Outputs) -> str:
    """The state of a run, from what its nodes did."""
    states = [node.state for node in nodes]
    if "running" in states:
        return "running"
    if model.pushes(outputs):
        return "pushed"
    if "failed" in states:
        return "failed"
    return "not_blessed" if outputs.node("Pusher") else "partial"


def _told(
    node: Node,
    known: Mapping[int | None, Node],
    told: Mapping[str, Mapping[str, Any]],
    times_ms: Mapping[int, tuple[int, int]],
) -> Node:
    """The node with what only the runner knows: why it ran, and how long that took."""
    if node.execution_id in known:
        before = known[node.execution_id]
        return node.model_copy(update={"why": before.why or node.why, "secs": before.secs})
    if node.id in told:
        said = told[node.id]
        return node.model_copy(update={"why": said["why"] or node.why, "secs": said["secs"]})
    begun, ended_at = times_ms[node.execution_id or 0]
    return node.model_copy(update={"secs": round((ended_at - begun) / 1000, 2)})


def _pipeline(store: metadata_store.MetadataStore, context: metadata_store_pb2.Context) -> str:
    found = store.get_executions_by_context(context.id)
    for other in store.get_contexts_by_execution(found[0].id) if found else ():
        if other.type == names.PIPELINE_CONTEXT:
            return other.name
    return ""
