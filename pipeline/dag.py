"""The compiled DAG as the local runner reads it: nodes, where their inputs come from, drivers."""

import dataclasses
import functools
from collections.abc import Mapping

from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx.dsl.compiler import compiler, constants
from tfx.orchestration import data_types_utils
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import (
    data_types,
    inputs_utils,
    launcher,
    runtime_parameter_utils,
)
from tfx.proto.orchestration import pipeline_pb2
from tfx.types import artifact_utils
from tfx.utils import import_utils

from components.property_driver import PropertyDriver
from pipeline.mlmd.connection import Connection
from pipeline.mlmd.handle import Handle
from pipeline.mlmd.history import Artifacts


@dataclasses.dataclass(frozen=True)
class Source:
    """Where an input comes from: an output `key` of a node."""

    node_id: str
    key: str


class Dag:
    """A pipeline for one run.

    Attributes:
      connection: where ML Metadata is.
      metadata: its handle, connected inside of `with`.
    """

    def __init__(self, pipeline: tfx_pipeline.Pipeline, run_id: str, connection: Connection):
        """Compiles `pipeline`; `connection` is where ML Metadata is."""
        self.connection = connection
        self.metadata = Handle(connection)
        self.run_id = run_id
        self.ir: pipeline_pb2.Pipeline = compiler.Compiler().compile(pipeline)
        runtime_parameter_utils.substitute_runtime_parameter(
            self.ir, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id}
        )
        self.nodes: dict[str, pipeline_pb2.PipelineNode] = {
            node.pipeline_node.node_info.id: node.pipeline_node for node in self.ir.nodes
        }

    @property
    def name(self) -> str:
        """The pipeline's name in ML Metadata."""
        return self.ir.pipeline_info.id

    def sources(self, node_id: str) -> dict[str, list[Source]]:
        """Where the inputs of a node come from, by input key."""
        inputs = self.nodes[node_id].inputs.inputs
        return {
            key: [Source(c.producer_node_query.id, c.output_key) for c in inputs[key].channels]
            for key in sorted(inputs)
        }

    def inputs(self, node_id: str, outputs: Mapping[str, Artifacts]) -> dict[str, list]:
        """The input artifacts of a node, from the outputs of the nodes before it."""
        return {
            key: [a for s in sources for a in outputs.get(s.node_id, {}).get(s.key, [])]
            for key, sources in self.sources(node_id).items()
        }

    def ancestors(self, node_id: str) -> set[str]:
        """The nodes that a node's inputs come from, and theirs."""
        found: set[str] = set()
        waiting = [node_id]
        while waiting:
            for upstream in self.nodes[waiting.pop()].upstream_nodes:
                if upstream not in found:
                    found.add(upstream)
                    waiting.append(upstream)
        return found

    def executor_class(self, node_id: str) -> str:
        """The dotted name of the class that does the node's work."""
        spec = runner_utils.extract_executor_spec(self._deployment, node_id)
        return getattr(spec, "python_executor_spec", spec).class_path

    def static_properties(self, node_id: str) -> dict[str, types.Property]:
        """The exec properties of a node, without those that its driver looks up."""
        properties = data_types_utils.build_parsed_value_dict(
            inputs_utils.resolve_parameters_with_schema(
                node_parameters=self.nodes[node_id].parameters
            )
        )
        return {key: value for key, value in properties.items() if value is not None}

    def properties(self, node_id: str, inputs: Artifacts) -> dict[str, types.Property]:
        """The exec properties of a node, with those that its driver looks up."""
        properties = self.static_properties(node_id)
        driver = self._driver(node_id)
        if driver is not None:
            info = data_types.ExecutionInfo(
                input_dict=self.to_tfx(inputs),
                exec_properties=properties,
                pipeline_node=self.nodes[node_id],
                pipeline_info=self.ir.pipeline_info,
                pipeline_run_id=self.run_id,
            )
            found = driver(self.metadata).properties(info)
            properties |= {key: value for key, value in found.items() if value is not None}
        return properties

    def to_tfx(self, artifacts: Artifacts) -> dict[str, list]:
        """The same artifacts as TFX's Python objects."""
        with self.metadata as handle:
            store = handle.store
            return {
                key: [_to_tfx(store, artifact) for artifact in values]
                for key, values in artifacts.items()
            }

    def launch(self, node_id: str, properties: Mapping[str, types.Property]):
        """Runs a node with these exec properties, whatever TFX's own cache holds.

        Returns:
          TFX's `ExecutionInfo`, None if the node was skipped.
        """
        node = pipeline_pb2.PipelineNode()
        node.CopyFrom(self.nodes[node_id])
        node.execution_options.caching_options.enable_cache = False
        driver_spec = runner_utils.extract_custom_driver_spec(self._deployment, node_id)
        if self._driver(node_id) is not None:  # has run already: what it found is in `properties`
            driver_spec = None
            static = self.static_properties(node_id)
            for key, value in properties.items():
                if static.get(key) != value:
                    parameter = node.parameters.parameters[key].field_value
                    data_types_utils.set_metadata_value(parameter, value)
        return launcher.Launcher(
            pipeline_node=node,
            mlmd_connection=self.metadata,
            pipeline_info=self.ir.pipeline_info,
            pipeline_runtime_spec=self.ir.runtime_spec,
            executor_spec=runner_utils.extract_executor_spec(self._deployment, node_id),
            custom_driver_spec=driver_spec,
        ).launch()

    @functools.cached_property
    def _deployment(self):
        return runner_utils.extract_local_deployment_config(self.ir)

    def _driver(self, node_id: str) -> type[PropertyDriver] | None:
        spec = runner_utils.extract_custom_driver_spec(self._deployment, node_id)
        if spec is None:
            return None
        driver = import_utils.import_class_by_path(spec.class_path)
        return driver if issubclass(driver, PropertyDriver) else None


def _to_tfx(store, artifact: metadata_store_pb2.Artifact):
    [artifact_type] = store.get_artifact_types_by_id([artifact.type_id])
    return artifact_utils.deserialize_artifact(artifact_type, artifact)
