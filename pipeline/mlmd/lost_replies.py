"""Whether a write took effect whose reply was lost, so that it is not made twice."""

from collections.abc import Mapping, Sequence

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd


def answer(store: metadata_store.MetadataStore, method_name: str, request, response) -> bool:
    """Fills the response of a write that took effect.

    All of a write takes effect, or nothing. It did, where the executions are stored as they were
    sent, with the events that were sent. Only what TFX writes with new artifacts is looked at:
    other writes can be made twice, or are refused the second time, which their callers expect.

    Args:
      store: another connection to the store.
      method_name: the service's method.
      request: what was sent.
      response: what was to be answered.

    Returns:
      Whether it took effect; False as well where nothing is known.
    """
    if method_name == "PutExecution":
        pairs = [(0, pair.artifact, pair.event) for pair in request.artifact_event_pairs]
        found = _stored(store, [request.execution], pairs)
        if found is not None:
            [response.execution_id], artifact_ids = found
            response.artifact_ids.extend(artifact_ids)
            response.context_ids.extend(context.id for context in request.contexts)
        return found is not None
    if method_name == "PutLineageSubgraph":
        triples = _by_artifact(request)
        found = _stored(store, request.executions, triples) if triples is not None else None
        if found is not None:
            response.execution_ids.extend(found[0])
            response.artifact_ids.extend(found[1])
            response.context_ids.extend(context.id for context in request.contexts)
        return found is not None
    return False


def _by_artifact(request) -> list[tuple[int, mlmd.Artifact, mlmd.Event]] | None:
    """One event for each artifact, in their order; None where one has none or several."""
    edges = {edge.artifact_index: edge for edge in request.event_edges}
    if len(edges) != len(request.event_edges) or len(edges) != len(request.artifacts):
        return None
    return [
        (edges[number].execution_index, artifact, edges[number].event)
        for number, artifact in enumerate(request.artifacts)
    ]


def _stored(
    store: metadata_store.MetadataStore,
    executions: Sequence[mlmd.Execution],
    sent: Sequence[tuple[int, mlmd.Artifact, mlmd.Event]],
) -> tuple[list[int], list[int]] | None:
    """The ids of executions and artifacts, None where they are not stored as they were sent."""
    execution_ids = []
    for execution in executions:
        found = _find(store, execution)
        if found is None or not _holds(found, execution):
            return None
        execution_ids.append(found.id)
    events = store.get_events_by_execution_ids(execution_ids)
    artifact_ids = []
    for number, artifact, event in sent:
        same = [
            stored.artifact_id
            for stored in events
            if stored.execution_id == execution_ids[number]
            and stored.type == event.type
            and stored.path == event.path
            and artifact.id in (0, stored.artifact_id)
        ]
        if not same:
            return None
        artifact_ids.append(same[0])
    return execution_ids, artifact_ids


def _find(store: metadata_store.MetadataStore, sent: mlmd.Execution) -> mlmd.Execution | None:
    if sent.id:
        return next(iter(store.get_executions_by_id([sent.id])), None)
    if not sent.name:
        return None
    [kind] = store.get_execution_types_by_id([sent.type_id])
    return store.get_execution_by_type_and_name(kind.name, sent.name)


def _holds(stored: mlmd.Execution, sent: mlmd.Execution) -> bool:
    if stored.last_known_state != sent.last_known_state:
        return False
    return _has_all(stored.properties, sent.properties) and _has_all(
        stored.custom_properties, sent.custom_properties
    )


def _has_all(stored: Mapping[str, mlmd.Value], sent: Mapping[str, mlmd.Value]) -> bool:
    return all(name in stored and stored[name] == value for name, value in sent.items())
