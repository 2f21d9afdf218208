"""The cache: whether a node's earlier result still is what a run of it would give.

TFX's own cache knows an input by its artifact's number, and a result by its folder. This one
knows inputs by their content, so that a node that was run again and made the same bytes does not
run all that come after it; it sees code and packages; it looks at the files of a result before
it is taken; and it can say why it takes it or not. Number of workers and runner are not part of
the key, since the bytes do not depend on them.
"""

import dataclasses
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import data_types_utils, metadata
from tfx.orchestration.portable import execution_publish_utils
from tfx.orchestration.portable.mlmd import context_lib

from components import code_digest, package_versions
from components.artifacts import CONTENT_FINGERPRINT
from pipeline import differences, fingerprints, history
from pipeline.dag import Dag
from pipeline.differences import Material
from pipeline.history import Artifacts, History

NEVER_RAN = "it has not run yet"
# What the components that come with TFX run.
_TFX_PACKAGES = ("tensorflow-data-validation", "tensorflow-metadata", "tfx", "tfx-bsl")
# Properties of artifacts that say where they come from, and nothing of what they are.
_ORIGIN_PROPERTIES = frozenset(
    {
        CONTENT_FINGERPRINT,
        "compared_with",
        "current_model",
        "current_model_id",
        "input_fingerprint",
        "is_external",
        "name",
        "pipeline_name",
        "producer_component",
        "state",
        "stats_dashboard_link",
        "tfx_version",
    }
)


@dataclasses.dataclass(frozen=True)
class Decision:
    """What the cache says of a node.

    Attributes:
      state: `hit`; `miss`; or `open` where an input has to be made before it can be known.
      why: in one line.
      material: what the node's result depends on.
      properties: its exec properties.
      outputs: of a hit, the artifacts by key.
    """

    state: Literal["hit", "miss", "open"]
    why: str
    material: Material | None = None
    properties: Mapping[str, object] = dataclasses.field(default_factory=dict)
    outputs: Artifacts = dataclasses.field(default_factory=dict)


def decide(
    dag: Dag,
    node_id: str,
    outputs: Mapping[str, Artifacts],
    *,
    off: str | None = None,
    waiting_for: Collection[str] = (),
) -> Decision:
    """Looks a node up.

    Args:
      dag: the pipeline.
      node_id: the node.
      outputs: the outputs of the nodes before it.
      off: why nothing may be taken from the cache, None where it may.
      waiting_for: nodes before it that have not run, where nothing is run (`explain`).
    """
    sources = dag.sources(node_id)
    unknown = [k for k, found in sources.items() if any(s.node_id in waiting_for for s in found)]
    inputs = dag.inputs(node_id, outputs)
    # A driver may look at any input, so it has to wait for all.
    properties = dag.static_properties(node_id) if unknown else dag.properties(node_id, inputs)
    with metadata.Metadata(dag.connection) as handle:
        identities = {k: [identity(handle.store, a) for a in v] for k, v in inputs.items()}
        material = _material(dag, node_id, properties, identities)
        if off is not None:
            return Decision("miss", off, material, properties)
        past = History(handle.store, dag.name)
        if unknown:
            return _half_known(past, node_id, material, unknown, sources, waiting_for)
        return _look_up(past, node_id, material, properties)


def publish(
    dag: Dag,
    node_id: str,
    inputs: Artifacts,
    outputs: Artifacts,
    properties: Mapping[str, object],
    material: Material | None,
) -> None:
    """Writes into ML Metadata that this run takes the outputs of an earlier execution.

    Args:
      dag: the pipeline.
      node_id: the node that is not run.
      inputs: what its inputs are in this run.
      outputs: what is taken.
      properties: the exec properties.
      material: what the outputs depend on, None if that is not known.
    """
    node = dag.nodes[node_id]
    tfx_inputs, tfx_outputs = dag.to_tfx(inputs), dag.to_tfx(outputs)
    with metadata.Metadata(dag.connection) as handle:
        contexts = context_lib.prepare_contexts(handle, node.contexts)
        execution = execution_publish_utils.register_execution(
            handle,
            execution_type=node.node_info.type,
            contexts=contexts,
            input_artifacts=tfx_inputs,
            exec_properties=dict(properties),
        )
        execution_publish_utils.publish_cached_executions(
            handle, contexts, [execution], [tfx_outputs]
        )
        if material is not None:
            [published] = handle.store.get_executions_by_id([execution.id])
            _sign(handle.store, published, material)


def record(dag: Dag, execution_id: int, material: Material) -> Artifacts:
    """Notes what an execution that succeeded depended on, and the content of its outputs.

    Returns:
      The outputs by key.
    """
    with metadata.Metadata(dag.connection) as handle:
        outputs = History(handle.store, dag.name).outputs(execution_id)
        artifacts = [artifact for values in outputs.values() for artifact in values]
        for artifact in artifacts:
            fingerprint = fingerprints.take(artifact.uri)
            artifact.custom_properties[CONTENT_FINGERPRINT].string_value = fingerprint
        handle.store.put_artifacts(artifacts)
        [execution] = handle.store.get_executions_by_id([execution_id])
        # Last: an execution with this mark has fingerprints for all of its outputs.
        _sign(handle.store, execution, material)
        return outputs


def material_of(execution: metadata_store_pb2.Execution) -> Material | None:
    """What an execution depended on, None where it does not say."""
    text = history.text_property(execution, history.CACHE_MATERIAL)
    return Material.from_json(text) if text else None


def damage(outputs: Artifacts) -> str | None:
    """Says what is wrong with the files of earlier outputs, None if nothing is."""
    for key, artifacts in sorted(outputs.items()):
        for artifact in artifacts:
            reason = fingerprints.difference(artifact.uri, history.fingerprint_of(artifact))
            if reason is not None:
                return f"output {key}: {reason}"
    return None


def _sign(store, execution: metadata_store_pb2.Execution, material: Material) -> None:
    execution.custom_properties[history.CACHE_KEY].string_value = material.key
    execution.custom_properties[history.CACHE_MATERIAL].string_value = material.to_json()
    store.put_executions([execution])


def _look_up(past: History, node_id: str, material: Material, properties) -> Decision:
    damaged = None
    for execution in past.successful(node_id):
        if history.text_property(execution, history.CACHE_KEY) == material.key:
            outputs = past.outputs(execution.id)
            reason = damage(outputs)
            if reason is None:
                run = past.run_of(execution.id)
                why = f"unchanged since run {run.name}" if run is not None else "unchanged"
                return Decision("hit", why, material, properties, outputs)
            damaged = damaged or reason
    why = damaged or "; ".join(_news(past, node_id, material))
    return Decision("miss", why, material, properties)


def _half_known(past, node_id, material, unknown, sources, waiting_for) -> Decision:
    """What can be said while an input is still to be made."""
    makers = sorted({s.node_id for k in unknown for s in sources[k]} & set(waiting_for))
    news = _news(past, node_id, material, unknown)
    if news:
        return Decision("miss", "; ".join(news), material)
    return Decision("open", f"runs unless the content of {' and '.join(makers)} stays the same")


def _news(
    past: History, node_id: str, material: Material, unknown: Sequence[str] = ()
) -> list[str]:
    """How the material differs from that of the newest execution that has one."""
    executions = past.successful(node_id)
    if not executions:
        return [NEVER_RAN]
    for execution in executions:
        old = material_of(execution)
        if old is not None:
            if unknown:  # its driver has not looked yet
                known = {k: v for k, v in old.properties.items() if k in material.properties}
                old = dataclasses.replace(old, properties=known)
            return differences.describe(old, material, unknown)
    return ["its earlier runs do not say what they depended on"]


def static_material(dag: Dag, node_id: str) -> Material:
    """What a node's result depends on, without its inputs and what its driver looks up."""
    return _material(dag, node_id, dag.static_properties(node_id), {})


def _material(
    dag: Dag, node_id: str, properties: Mapping[str, object], inputs: Mapping[str, list[str]]
) -> Material:
    digest = properties.get("code_digest")
    code = code_digest.code_of(str(digest)) if digest else None
    if code is not None:
        packages = package_versions.imported_versions(code.foreign_imports)
    else:
        packages = package_versions.versions(_TFX_PACKAGES)
    return Material(
        executor=dag.executor_class(node_id),
        properties={key: str(value) for key, value in sorted(properties.items())},
        code=code.files if code else {},
        packages=packages,
        inputs=inputs,
    )


def identity(store, artifact: metadata_store_pb2.Artifact) -> str:
    """What an artifact is, whichever execution made it: type, content and properties."""
    [artifact_type] = store.get_artifact_types_by_id([artifact.type_id])
    properties = {
        key: data_types_utils.get_metadata_value(value)
        for key, value in {**artifact.properties, **artifact.custom_properties}.items()
        if key not in _ORIGIN_PROPERTIES
    }
    content = history.fingerprint_of(artifact) or f"artifact {artifact.id}"
    return json.dumps([artifact_type.name, content, properties], sort_keys=True, default=str)
