"""The executions and artifacts of a run in ML Metadata, as nodes and artifacts of a record."""

import dataclasses
import datetime
import json
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf import json_format
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from components.stored_names import CONTENT_FINGERPRINT, MADE_IN_RUN
from lineage.record.parts import Artifact, Node
from pipeline.mlmd import names

_STATES = metadata_store_pb2.Execution
_NODE_STATES = {
    _STATES.COMPLETE: "ran",
    _STATES.CACHED: "cached",
    _STATES.FAILED: "failed",
    _STATES.CANCELED: "failed",
    _STATES.RUNNING: "running",
    _STATES.NEW: "running",
}
# Properties that say nothing to people, or stand elsewhere in the record.
_OWN = {names.CACHE_KEY, names.CACHE_KEY_INPUTS, CONTENT_FINGERPRINT, MADE_IN_RUN}
_OWN |= {names.IMPORTED_AS, names.MADE, names.PRUNED}
_OWN |= {"tfx_version", "is_external", "state", "stats_dashboard_link"}


@dataclasses.dataclass(frozen=True)
class Executions:
    """What ML Metadata has of a run.

    Attributes:
      nodes: a node for each execution, in their order; a node may have several, as after an
        override of the gate.
      artifacts: what went in and came out.
      times_ms: by execution id, when it began and when it was last written.
    """

    nodes: list[Node]
    artifacts: list[Artifact]
    times_ms: Mapping[int, tuple[int, int]]


def read(store: metadata_store.MetadataStore, run: metadata_store_pb2.Context) -> Executions:
    """Reads the executions of a run with a handful of questions."""
    executions = sorted(store.get_executions_by_context(run.id), key=lambda e: e.id)
    events = store.get_events_by_execution_ids([e.id for e in executions]) if executions else []
    found = store.get_artifacts_by_id(sorted({e.artifact_id for e in events})) if events else []
    origins = _origins(store, found)
    by_execution: dict[int, list[metadata_store_pb2.Event]] = {}
    for event in events:
        by_execution.setdefault(event.execution_id, []).append(event)
    makers: dict[int, str] = {}
    nodes = []
    for execution in executions:
        node = _node(store, execution, by_execution.get(execution.id, []), origins, run.name)
        nodes.append(node)
        makers |= {artifact: node.id for ids in node.outputs.values() for artifact in ids}
    return Executions(
        nodes,
        [artifact(a, origins[a.id], makers.get(a.id, "")) for a in sorted(found, key=_id)],
        {e.id: (e.create_time_since_epoch, e.last_update_time_since_epoch) for e in executions},
    )


def times(
    store: metadata_store.MetadataStore, run: metadata_store_pb2.Context
) -> dict[int, tuple[datetime.datetime, datetime.datetime]]:
    """When each execution of a run began, and when it was last written, by its number."""
    return {
        e.id: (time_of(e.create_time_since_epoch), time_of(e.last_update_time_since_epoch))
        for e in store.get_executions_by_context(run.id)
    }


def artifact(found: metadata_store_pb2.Artifact, made_in_run: str, made_by: str) -> Artifact:
    """An artifact of ML Metadata as one of a record."""
    return Artifact(
        id=found.id,
        type=found.type,
        uri=found.uri,
        digest=found.custom_properties[CONTENT_FINGERPRINT].string_value
        if CONTENT_FINGERPRINT in found.custom_properties
        else "",
        made_in_run=made_in_run,
        made_by=made_by,
        made=_made(found),
        pruned=_pruned(found),
        properties=_properties({**found.properties, **found.custom_properties}),
    )


def _made(found: metadata_store_pb2.Artifact) -> datetime.datetime:
    # A store sets the time of creation itself, also of what was made elsewhere before.
    if names.MADE in found.custom_properties:
        return datetime.datetime.fromisoformat(found.custom_properties[names.MADE].string_value)
    return time_of(found.create_time_since_epoch)


def _pruned(found: metadata_store_pb2.Artifact) -> datetime.datetime | None:
    if names.PRUNED not in found.custom_properties:
        return None
    return datetime.datetime.fromisoformat(found.custom_properties[names.PRUNED].string_value)


def time_of(milliseconds: int) -> datetime.datetime:
    """The time that ML Metadata counts from 1970."""
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)


def node_name(store: metadata_store.MetadataStore, execution_id: int) -> str:
    """The name of the node that an execution is of; empty where it is of none."""
    for context in store.get_contexts_by_execution(execution_id):
        if context.type == names.NODE_CONTEXT:
            # Its name is that of the pipeline, which has no dot in it, and of the node.
            return context.name.partition(".")[2]
    return ""


def origin(store: metadata_store.MetadataStore, artifact_id: int) -> int | None:
    """The first execution that had an artifact as output; later ones took it from the cache."""
    events = store.get_events_by_artifact_ids([artifact_id])
    kinds = (metadata_store_pb2.Event.OUTPUT, metadata_store_pb2.Event.DECLARED_OUTPUT)
    return min((e.execution_id for e in events if e.type in kinds), default=None)


def run_of(store: metadata_store.MetadataStore, execution_id: int) -> str:
    """The name of the run that an execution belongs to; empty where it belongs to none."""
    for context in store.get_contexts_by_execution(execution_id):
        if context.type == names.RUN_CONTEXT:
            return context.name
    return ""


def _origins(
    store: metadata_store.MetadataStore, found: Iterable[metadata_store_pb2.Artifact]
) -> dict[int, str]:
    """The run in which each artifact was made."""
    origins = {}
    for one in found:
        if MADE_IN_RUN in one.custom_properties:
            origins[one.id] = one.custom_properties[MADE_IN_RUN].string_value
        else:  # of an earlier version, or of another pipeline
            execution = origin(store, one.id)
            origins[one.id] = run_of(store, execution) if execution is not None else ""
    return origins


def _node(
    store: metadata_store.MetadataStore,
    execution: metadata_store_pb2.Execution,
    events: Iterable[metadata_store_pb2.Event],
    origins: Mapping[int, str],
    run_name: str,
) -> Node:
    inputs: dict[str, list[int]] = {}
    outputs: dict[str, list[int]] = {}
    for event in events:
        is_input = event.type in (
            metadata_store_pb2.Event.INPUT,
            metadata_store_pb2.Event.DECLARED_INPUT,
        )
        key = event.path.steps[0].key if event.path.steps else ""
        (inputs if is_input else outputs).setdefault(key, []).append(event.artifact_id)
    made = [origins[a] for ids in outputs.values() for a in ids]
    return Node(
        id=node_name(store, execution.id) or execution.type.rpartition(".")[2],
        state=_NODE_STATES.get(execution.last_known_state, "ran"),
        why=_text(execution, names.ENDED_BY),
        execution_id=execution.id,
        execution_type=execution.type,
        made_in_run=made[0] if made else run_name,
        properties=_properties(execution.custom_properties),
        inputs=inputs,
        outputs=outputs,
    )


def _text(execution: metadata_store_pb2.Execution, name: str) -> str:
    if name not in execution.custom_properties:
        return ""
    return execution.custom_properties[name].string_value


def _properties(values: Mapping[str, metadata_store_pb2.Value]) -> dict[str, Any]:
    return {
        name: _value(values[name])
        for name in sorted(values)
        if name not in _OWN and values[name].WhichOneof("value") != "proto_value"
    }


def _value(value: metadata_store_pb2.Value) -> Any:
    kind = value.WhichOneof("value")
    if kind != "struct_value":
        return getattr(value, kind) if kind else None
    found = json_format.MessageToDict(value.struct_value)
    # TFX puts what is no object into one of this single key, as JSON.
    return json.loads(found["__value__"]) if set(found) == {"__value__"} else found


def _id(found: metadata_store_pb2.Artifact) -> int:
    return found.id
