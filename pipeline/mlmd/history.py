"""What ML Metadata knows of a pipeline's earlier executions."""

from collections.abc import Mapping, Sequence

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import compiler_utils, constants
from tfx.orchestration.portable.mlmd import execution_lib

from components.stored_names import CONTENT_FINGERPRINT
from pipeline.mlmd import long_text

Artifacts = Mapping[str, Sequence[metadata_store_pb2.Artifact]]


class History:
    """Reads executions and their artifacts; nothing is written.

    Attributes:
      store: the ml-metadata `MetadataStore`.
    """

    def __init__(self, store, pipeline_name: str):
        """Looks at the executions of one pipeline."""
        self.store = store
        self._pipeline_name = pipeline_name

    def executions(self, node_id: str) -> list[metadata_store_pb2.Execution]:
        """All executions of a node, the newest first."""
        context = self.store.get_context_by_type_and_name(
            constants.NODE_CONTEXT_TYPE_NAME,
            compiler_utils.node_context_name(self._pipeline_name, node_id),
        )
        if context is None:
            return []
        found = self.store.get_executions_by_context(context.id)
        return sorted(found, key=lambda execution: execution.id, reverse=True)

    def successful(self, node_id: str) -> list[metadata_store_pb2.Execution]:
        """The executions that ran to the end or were taken from the cache, the newest first."""
        return [e for e in self.executions(node_id) if execution_lib.is_execution_successful(e)]

    def outputs(self, execution_id: int) -> dict[str, list[metadata_store_pb2.Artifact]]:
        """The output artifacts of an execution by key."""
        return self._artifacts(execution_id, metadata_store_pb2.Event.OUTPUT)

    def inputs(self, execution_id: int) -> dict[str, list[metadata_store_pb2.Artifact]]:
        """The input artifacts of an execution by key."""
        return self._artifacts(execution_id, metadata_store_pb2.Event.INPUT)

    def run_of(self, execution_id: int) -> metadata_store_pb2.Context | None:
        """The context of the run that an execution belongs to."""
        for context in self.store.get_contexts_by_execution(execution_id):
            if context.type == constants.PIPELINE_RUN_CONTEXT_TYPE_NAME:
                return context
        return None

    def _artifacts(self, execution_id: int, event_type: int):
        events = [
            event
            for event in self.store.get_events_by_execution_ids([execution_id])
            if event.type == event_type
        ]
        by_id = {
            artifact.id: artifact
            for artifact in self.store.get_artifacts_by_id([e.artifact_id for e in events])
        }
        result: dict[str, list[metadata_store_pb2.Artifact]] = {}
        for event in events:
            if event.artifact_id in by_id:
                key = event.path.steps[0].key
                result.setdefault(key, []).append(by_id[event.artifact_id])
        return result


def fingerprint_of(artifact: metadata_store_pb2.Artifact) -> str:
    """The fingerprint that an artifact was published with, empty where there is none."""
    return (
        artifact.custom_properties[CONTENT_FINGERPRINT].string_value
        if (CONTENT_FINGERPRINT in artifact.custom_properties)
        else ""
    )


def text_property(execution: metadata_store_pb2.Execution, name: str) -> str:
    """A text among an execution's custom properties, empty where it is not there."""
    if name not in execution.custom_properties:
        return ""
    return long_text.get(execution.custom_properties[name])
