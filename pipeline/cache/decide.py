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
from tfx.orchestration import data_types_utils

from components import package_versions
from components.stored_names import CODE_HISTORY, CONTENT_FINGERPRINT, JOB_CONFIG, MADE_IN_RUN
from pipeline.cache import records
from pipeline.cache.key_inputs import KeyInputs, describe_changes
from pipeline.dag import Dag
from pipeline.mlmd import history, names
from pipeline.mlmd.history import Artifacts, History
from preprocessing.files import code_digest

NEVER_RAN = "it has not run yet"
# What the components that come with TFX run.
_TFX_PACKAGES = ("tensorflow-data-validation", "tensorflow-metadata", "tfx", "tfx-bsl")
# Properties of artifacts that say where they come from, and nothing of what they are.
_ORIGIN_PROPERTIES = frozenset(
    {
        CODE_HISTORY,
        CONTENT_FINGERPRINT,
        "compared_with",
        "current_model",
        "current_model_id",
        "input_fingerprint",
        "is_external",
        MADE_IN_RUN,
        "name",
        "pipeline_name",
        "producer_component",
        names.PRUNED,
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
      key_inputs: what the node's result depends on.
      properties: its exec properties.
      outputs: of a hit, the artifacts by key.
    """

    state: Literal["hit", "miss", "open"]
    why: str
    key_inputs: KeyInputs | None = None
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
    with dag.metadata as handle:
        key_inputs = _key_inputs(dag, node_id, properties, _identities(handle.store, inputs))
        if off is not None:
            return Decision("miss", off, key_inputs, properties)
        past = History(handle.store, dag.name)
        if unknown:
            return _half_known(past, node_id, key_inputs, unknown, sources, waiting_for)
        return _look_up(past, node_id, key_inputs, properties)


def _look_up(past: History, node_id: str, key_inputs: KeyInputs, properties) -> Decision:
    damaged = None
    for execution in past.successful(node_id):
        if history.text_property(execution, names.CACHE_KEY) == key_inputs.key:
            outputs = past.outputs(execution.id)
            reason = records.damage(outputs)
            if reason is None:
                run = past.run_of(execution.id)
                why = f"unchanged since run {run.name}" if run is not None else "unchanged"
                return Decision("hit", why, key_inputs, properties, outputs)
            damaged = damaged or reason
    why = damaged or "; ".join(_changes_since_last(past, node_id, key_inputs))
    return Decision("miss", why, key_inputs, properties)


def _half_known(past, node_id, key_inputs, unknown, sources, waiting_for) -> Decision:
    """What can be said while an input is still to be made."""
    makers = sorted({s.node_id for k in unknown for s in sources[k]} & set(waiting_for))
    changes = _changes_since_last(past, node_id, key_inputs, unknown)
    if changes:
        return Decision("miss", "; ".join(changes), key_inputs)
    return Decision("open", f"runs unless the content of {' and '.join(makers)} stays the same")


def _changes_since_last(
    past: History, node_id: str, key_inputs: KeyInputs, unknown: Sequence[str] = ()
) -> list[str]:
    """How the inputs of the key differ from those of the newest execution that has one."""
    executions = past.successful(node_id)
    if not executions:
        return [NEVER_RAN]
    for execution in executions:
        old = records.key_inputs_of(execution)
        if old is not None:
            if unknown:  # its driver has not looked yet
                known = {k: v for k, v in old.properties.items() if k in key_inputs.properties}
                old = dataclasses.replace(old, properties=known)
            return describe_changes(old, key_inputs, unknown)
    return ["its earlier runs do not say what they depended on"]


def key_inputs_now(dag: Dag, node_id: str, inputs: Artifacts) -> KeyInputs:
    """What a node's result would depend on if it ran now with these inputs.

    Raises:
      InputError: a driver found that something it looks at is not usable.
    """
    properties = dag.properties(node_id, inputs)
    with dag.metadata as handle:
        return _key_inputs(dag, node_id, properties, _identities(handle.store, inputs))


def _key_inputs(
    dag: Dag, node_id: str, properties: Mapping[str, object], inputs: Mapping[str, list[str]]
) -> KeyInputs:
    digest = properties.get("code_digest")
    code = code_digest.code_of(str(digest)) if digest else None
    if code is not None:
        packages = package_versions.imported_versions(code.foreign_imports)
    else:
        packages = package_versions.versions(_TFX_PACKAGES)
    return KeyInputs(
        executor=dag.executor_class(node_id),
        properties={
            key: str(value) for key, value in sorted(properties.items()) if key != JOB_CONFIG
        },
        code=code.files if code else {},
        packages=packages,
        inputs=inputs,
    )


def _identities(store, inputs: Artifacts) -> dict[str, list[str]]:
    return {key: [identity(store, a) for a in values] for key, values in inputs.items()}


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
