"""Finds the statistics of the corpus before this one."""

from collections.abc import Iterator
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import compiler_utils, constants
from tfx.dsl.io import fileio
from tfx.orchestration.portable import data_types
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.types.standard_component_specs import STATISTICS_KEY

from components.example_validator import executor, kept
from components.property_driver import PropertyDriver
from components.stored_names import CONTENT_FINGERPRINT


class Driver(PropertyDriver):
    """Looks for the newest accepted corpus that has other content."""

    def properties(self, execution_info: data_types.ExecutionInfo) -> dict[str, Any]:
        """The folder of its statistics, nothing where there is none or a person named one."""
        if execution_info.exec_properties.get(executor.PREVIOUS_KEY):
            return {}
        folder = execution_info.exec_properties.get(executor.KEPT_KEY)
        if folder or self._metadata is None:
            content = executor.content_of(execution_info.input_dict)
            found = folder and kept.newest_other(folder, content)
            return {executor.PREVIOUS_KEY: found} if found else {}
        [current] = execution_info.input_dict[STATISTICS_KEY]
        context_name = compiler_utils.node_context_name(
            execution_info.pipeline_info.id, execution_info.pipeline_node.node_info.id
        )
        with self._metadata as handle:
            own_content = _content(handle.store, current.mlmd_artifact)
            for artifact in _accepted(handle.store, context_name):
                other = _content(handle.store, artifact) != own_content
                if other and fileio.exists(artifact.uri):
                    return {executor.PREVIOUS_KEY: artifact.uri}
        return {}


def _accepted(store, context_name: str) -> Iterator[metadata_store_pb2.Artifact]:
    """The statistics that this node accepted, the newest first.

    A corpus that was refused is nothing to compare with: the one that was mended after it would
    look as unusual as the refused one did.
    """
    context = store.get_context_by_type_and_name(constants.NODE_CONTEXT_TYPE_NAME, context_name)
    if context is None:
        return
    executions = store.get_executions_by_context(context.id)
    for execution in sorted(executions, key=lambda e: e.id, reverse=True):
        if execution_lib.is_execution_successful(execution):
            yield from _inputs(store, execution.id, STATISTICS_KEY)


def _content(store, statistics: metadata_store_pb2.Artifact) -> list[str]:
    """What the statistics are of: fingerprints, or numbers where there are none.

    The statistics themselves will not do, since they may differ in the last digits.
    """
    events = store.get_events_by_artifact_ids([statistics.id])
    makers = [e.execution_id for e in events if e.type == metadata_store_pb2.Event.OUTPUT]
    examples = _inputs(store, min(makers), "examples") if makers else []
    return sorted(_identity(artifact) for artifact in examples) or [_identity(statistics)]


def _inputs(store, execution_id: int, key: str) -> list[metadata_store_pb2.Artifact]:
    events = store.get_events_by_execution_ids([execution_id])
    wanted = [
        event.artifact_id
        for event in events
        if event.type == metadata_store_pb2.Event.INPUT and event.path.steps[0].key == key
    ]
    return store.get_artifacts_by_id(wanted) if wanted else []


def _identity(artifact: metadata_store_pb2.Artifact) -> str:
    if CONTENT_FINGERPRINT in artifact.custom_properties:
        return artifact.custom_properties[CONTENT_FINGERPRINT].string_value
    return f"artifact {artifact.id}"
