"""A finished run in ML Metadata: what its nodes made, and executions that are added to it."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx.dsl.compiler import compiler_utils, constants
from tfx.dsl.io import fileio
from tfx.orchestration import metadata
from tfx.orchestration.portable import execution_publish_utils
from tfx.orchestration.portable.mlmd import context_lib, execution_lib
from tfx.types import artifact_utils

from preprocessing.errors import InputError

# As many runs are named where the one that was asked for is not there.
_NAMED_RUNS = 5


class RunRecord:
    """Reads one run, and adds executions to it.

    Attributes:
      run_id: the run.
      outputs: the output artifacts by node and key; of several executions of a node in the run,
        those of the newest that ended well.
    """

    def __init__(self, handle: metadata.Metadata, run_id: str, artifacts_dir: Path):
        """Reads.

        Args:
          handle: an open connection.
          run_id: the run.
          artifacts_dir: folder for the artifacts of added executions.

        Raises:
          InputError: ML Metadata does not know the run.
        """
        self.run_id = run_id
        self._handle, self._artifacts_dir = handle, artifacts_dir
        self._run = self._find(run_id)
        self._executions = self._newest_by_node()
        self.outputs = {
            (node, key): artifact
            for node, execution in self._executions.items()
            for key, artifact in self._outputs_of(execution).items()
        }

    def parameter(self, node: str, name: str) -> str:
        """A string among the exec properties of a node's execution, empty if it is not there."""
        execution = self._executions.get(node)
        if execution is None or name not in execution.custom_properties:
            return ""
        return execution.custom_properties[name].string_value

    @contextlib.contextmanager
    def execution(
        self,
        node: str,
        type_name: str,
        inputs: Mapping[str, list[types.Artifact]],
        parameters: Mapping[str, Any],
        made: Mapping[str, types.Artifact],
    ) -> Iterator[None]:
        """Adds an execution: what the block leaves in the folders of `made` is its output.

        Args:
          node: node id.
          type_name: the execution's type, as the launcher would name it.
          inputs: input artifacts by key.
          parameters: exec properties.
          made: new artifacts by key; they get their URIs here, and their folders exist.
        """
        contexts = [
            self._context(constants.PIPELINE_CONTEXT_TYPE_NAME, self._pipeline),
            self._run,
            self._context(
                constants.NODE_CONTEXT_TYPE_NAME,
                compiler_utils.node_context_name(self._pipeline, node),
            ),
        ]
        execution = execution_publish_utils.register_execution(
            self._handle,
            metadata_store_pb2.ExecutionType(name=type_name),
            contexts,
            input_artifacts=inputs,
            exec_properties=parameters,
        )
        for key, artifact in made.items():
            artifact.uri = str(self._artifacts_dir / node / key / str(execution.id))
            fileio.makedirs(artifact.uri)
        try:
            yield
        except BaseException:
            for artifact in made.values():
                fileio.rmtree(artifact.uri)
            execution_publish_utils.publish_failed_execution(self._handle, contexts, execution.id)
            raise
        published, _ = execution_publish_utils.publish_succeeded_execution(
            self._handle,
            execution.id,
            contexts,
            {key: [artifact] for key, artifact in made.items()},
        )
        # Their ids, by which a later execution names them as inputs.
        for key, artifact in made.items():
            artifact.set_mlmd_artifact(published[key][0].mlmd_artifact)

    def _find(self, run_id: str) -> metadata_store_pb2.Context:
        store, kind = self._handle.store, constants.PIPELINE_RUN_CONTEXT_TYPE_NAME
        found = store.get_context_by_type_and_name(kind, run_id)
        if found is None:
            names = sorted(run.name for run in store.get_contexts_by_type(kind))
            raise InputError(
                f"RUN must be a run in ML Metadata, or latest. Received: {run_id!r}; the last "
                f"ones are: {', '.join(names[-_NAMED_RUNS:]) or 'none'}"
            )
        return found

    def _newest_by_node(self) -> dict[str, metadata_store_pb2.Execution]:
        newest: dict[str, metadata_store_pb2.Execution] = {}
        executions = self._handle.store.get_executions_by_context(self._run.id)
        for execution in sorted(executions, key=lambda e: e.id):
            if not execution_lib.is_execution_successful(execution):
                continue
            for context in self._handle.store.get_contexts_by_execution(execution.id):
                if context.type == constants.NODE_CONTEXT_TYPE_NAME:
                    # Its name is that of the pipeline, which has no dot in it, and of the node.
                    self._pipeline, _, node = context.name.partition(".")
                    newest[node] = execution
        return newest

    def _outputs_of(self, execution: metadata_store_pb2.Execution) -> dict[str, types.Artifact]:
        store = self._handle.store
        events = [
            event
            for event in store.get_events_by_execution_ids([execution.id])
            if event.type == metadata_store_pb2.Event.OUTPUT
        ]
        found = {a.id: a for a in store.get_artifacts_by_id([e.artifact_id for e in events])}
        kinds = {
            kind.id: kind
            for kind in store.get_artifact_types_by_id(sorted({a.type_id for a in found.values()}))
        }
        return {
            event.path.steps[0].key: artifact_utils.deserialize_artifact(
                kinds[found[event.artifact_id].type_id], found[event.artifact_id]
            )
            for event in events
        }

    def _context(self, kind: str, name: str) -> metadata_store_pb2.Context:
        return context_lib.register_context_if_not_exists(self._handle, kind, name)
