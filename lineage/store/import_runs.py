"""Fills a store from records: the executions, artifacts and events of their runs, and the records.

Each execution and artifact has a name that follows from its record alone, so what is there is
found and not added again. A run's line is written last: a run without one was not completed.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ml_metadata import errors
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from components.stored_names import CONTENT_FINGERPRINT, MADE_IN_RUN
from lineage.record.parts import Artifact, Node
from lineage.record.run import Run
from lineage.store import renumber, runs
from pipeline.mlmd import names

_STATES = metadata_store_pb2.Execution
_NODE_STATES = {
    "ran": _STATES.COMPLETE,
    "cached": _STATES.CACHED,
    "failed": _STATES.FAILED,
    "killed": _STATES.FAILED,
    "running": _STATES.RUNNING,
}
# Databases have columns of 32 bits.
_INT_BOUND = 2**31
_Event = metadata_store_pb2.Event


def add(store: metadata_store.MetadataStore, run: Run, uri: str, is_late: bool) -> None:
    """Adds a run, or what is missing of it.

    Args:
      store: the store.
      run: its record; the numbers of executions and artifacts in it are those of another store.
      uri: where the record is as a file.
      is_late: whether it is added after runs that started later.
    """
    context = _context(store, run, is_late)
    if not is_own(store, run):
        run = renumber.renumbered(run, *_add_graph(store, run, context))
    runs.put_record(store, run, uri)


def is_own(store: metadata_store.MetadataStore, run: Run) -> bool:
    """Whether a run was recorded in this store itself, so that its numbers are the store's."""
    context = runs.context_of(store, run.run.id)
    if context is None:
        return False
    here = {e.id: e for e in store.get_executions_by_context(context.id)}
    told = {node.execution_id for node in run.nodes if node.execution_id is not None}
    own = {number for number, execution in here.items() if not _is_imported(execution)}
    return bool(own) and told <= own


def _is_imported(execution: metadata_store_pb2.Execution) -> bool:
    return names.IMPORTED_AS in execution.custom_properties


def _context(
    store: metadata_store.MetadataStore, run: Run, is_late: bool
) -> metadata_store_pb2.Context:
    """The context of the run, which says where it ran."""
    context = _registered(store, names.RUN_CONTEXT, run.run.id)
    said = context.custom_properties
    if names.OUTPUT_DIR not in said:
        if is_late:
            said[names.IMPORTED_LATE].int_value = 1
        said[names.OUTPUT_DIR].string_value = run.run.output_dir
        said[names.OUTPUT_ID].string_value = run.run.output_id
        said[names.HOST].string_value = run.run.host
        said[names.PID].int_value = run.run.pid
        store.put_contexts([context])
    return context


def _registered(
    store: metadata_store.MetadataStore, kind: str, name: str
) -> metadata_store_pb2.Context:
    found = store.get_context_by_type_and_name(kind, name)
    if found is not None:
        return found
    type_id = store.put_context_type(metadata_store_pb2.ContextType(name=kind))
    with contextlib.suppress(errors.AlreadyExistsError):  # somebody else was faster
        store.put_contexts([metadata_store_pb2.Context(type_id=type_id, name=name)])
    return store.get_context_by_type_and_name(kind, name)


def _add_graph(
    store: metadata_store.MetadataStore, run: Run, context: metadata_store_pb2.Context
) -> tuple[dict[int, int], dict[int, int]]:
    """Adds what is missing of a run's executions and artifacts.

    Returns:
      The store's numbers of executions and of artifacts by those in the record.
    """
    artifacts = _add_artifacts(store, run.artifacts) if run.artifacts else {}
    executions = {}
    for node in run.nodes:
        if node.execution_id is not None:
            contexts = [context]
            for kind, name in (
                (names.PIPELINE_CONTEXT, run.run.pipeline),
                (names.NODE_CONTEXT, f"{run.run.pipeline}.{node.id}"),
            ):
                if run.run.pipeline:
                    contexts.append(_registered(store, kind, name))
            name = f"{run.run.id}.{node.id}.{node.execution_id}"
            executions[node.execution_id] = _add_execution(store, node, name, artifacts, contexts)
    return executions, {old: artifact.id for old, artifact in artifacts.items()}


def _add_artifacts(
    store: metadata_store.MetadataStore, artifacts: Sequence[Artifact]
) -> dict[int, metadata_store_pb2.Artifact]:
    """The stored artifacts by their numbers in the record."""
    keys = {artifact.id: _key(artifact) for artifact in artifacts}
    found = _by_key(store, keys.values())
    new = [artifact for artifact in artifacts if keys[artifact.id] not in found]
    if new:
        # It is there already where the reply to a write was lost.
        with contextlib.suppress(errors.AlreadyExistsError):
            store.put_artifacts([_artifact(store, a, keys[a.id]) for a in new])
        found = _by_key(store, keys.values())
    return {number: found[key] for number, key in keys.items()}


def _by_key(
    store: metadata_store.MetadataStore, keys: Iterable[str]
) -> dict[str, metadata_store_pb2.Artifact]:
    try:
        found = store.get_artifacts_by_external_ids(sorted(set(keys)))
    except errors.NotFoundError:  # which is how it says that none of them is there
        return {}
    return {artifact.external_id: artifact for artifact in found}


def _key(artifact: Artifact) -> str:
    """What an artifact is called in all records that have it, wherever it was moved."""
    made = artifact.made.isoformat() if artifact.made is not None else ""
    known = [artifact.id, artifact.type, artifact.made_by, artifact.made_in_run, made]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()


def _artifact(
    store: metadata_store.MetadataStore, artifact: Artifact, key: str
) -> metadata_store_pb2.Artifact:
    kind = metadata_store_pb2.ArtifactType(name=artifact.type)
    made = metadata_store_pb2.Artifact(
        type_id=store.put_artifact_type(kind, can_omit_fields=True),
        uri=artifact.uri,
        external_id=key,
        state=metadata_store_pb2.Artifact.LIVE,
    )
    _set(made.custom_properties, artifact.properties)
    if artifact.digest:
        made.custom_properties[CONTENT_FINGERPRINT].string_value = artifact.digest
    made.custom_properties[MADE_IN_RUN].string_value = artifact.made_in_run
    if artifact.pruned is not None:
        made.state = metadata_store_pb2.Artifact.DELETED
        made.custom_properties[names.PRUNED].string_value = artifact.pruned.isoformat()
    if artifact.made is not None:
        made.custom_properties[names.MADE].string_value = artifact.made.isoformat()
    return made


def _add_execution(
    store: metadata_store.MetadataStore,
    node: Node,
    name: str,
    artifacts: Mapping[int, metadata_store_pb2.Artifact],
    contexts: Sequence[metadata_store_pb2.Context],
) -> int:
    """Adds an execution with its events, all at once, unless it is there; returns its number."""
    kind = node.execution_type or node.id
    found = store.get_execution_by_type_and_name(kind, name)
    if found is not None:
        return found.id
    execution = metadata_store_pb2.Execution(
        type_id=store.put_execution_type(
            metadata_store_pb2.ExecutionType(name=kind), can_omit_fields=True
        ),
        name=name,
        last_known_state=_NODE_STATES.get(node.state, _STATES.UNKNOWN),
    )
    _set(execution.custom_properties, node.properties)
    execution.custom_properties[names.IMPORTED_AS].int_value = node.execution_id
    if node.state in ("failed", "killed") and node.why:
        execution.custom_properties[names.ENDED_BY].string_value = node.why
    pairs = []
    for way, of_key in ((_Event.INPUT, node.inputs), (_Event.OUTPUT, node.outputs)):
        for key, numbers in of_key.items():
            for index, number in enumerate(numbers):
                event = _Event(type=way)
                event.path.steps.add().key = key
                event.path.steps.add().index = index
                pairs.append((artifacts[number], event))
    try:
        return store.put_execution(execution, pairs, contexts)[0]
    except errors.AlreadyExistsError:  # the reply to a write that took effect was lost
        return store.get_execution_by_type_and_name(kind, name).id


def _set(values: Mapping[str, metadata_store_pb2.Value], properties: Mapping[str, Any]) -> None:
    for name, value in properties.items():
        if isinstance(value, bool):
            values[name].bool_value = value
        elif isinstance(value, int) and abs(value) < _INT_BOUND:
            values[name].int_value = value
        elif isinstance(value, float):
            values[name].double_value = value
        elif isinstance(value, str):
            values[name].string_value = value
        elif value is not None:  # as TFX puts what is no scalar that ML Metadata takes
            values[name].struct_value["__value__"] = json.dumps(value)
