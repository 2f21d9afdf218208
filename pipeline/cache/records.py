"""Earlier results: what ML Metadata keeps of an execution for the cache."""

from collections.abc import Mapping

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.portable import execution_publish_utils
from tfx.orchestration.portable.mlmd import context_lib

from components.stored_names import CONTENT_FINGERPRINT, MADE_IN_RUN
from pipeline.cache import fingerprints
from pipeline.cache.key_inputs import KeyInputs
from pipeline.dag import Dag
from pipeline.mlmd import history, long_text, names
from pipeline.mlmd.history import Artifacts, History


def publish(
    dag: Dag,
    node_id: str,
    inputs: Artifacts,
    outputs: Artifacts,
    properties: Mapping[str, object],
    key_inputs: KeyInputs | None,
) -> None:
    """Writes into ML Metadata that this run takes the outputs of an earlier execution.

    Args:
      dag: the pipeline.
      node_id: the node that is not run.
      inputs: what its inputs are in this run.
      outputs: what is taken.
      properties: the exec properties.
      key_inputs: what the outputs depend on, None if that is not known.
    """
    node = dag.nodes[node_id]
    tfx_inputs, tfx_outputs = dag.to_tfx(inputs), dag.to_tfx(outputs)
    with dag.metadata as handle:
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
        if key_inputs is not None:
            [published] = handle.store.get_executions_by_id([execution.id])
            _sign(handle.store, published, key_inputs)


def record(dag: Dag, execution_id: int, key_inputs: KeyInputs) -> Artifacts:
    """Notes what an execution that succeeded depended on, and the content of its outputs.

    Returns:
      The outputs by key.
    """
    with dag.metadata as handle:
        outputs = History(handle.store, dag.name).outputs(execution_id)
        artifacts = [artifact for values in outputs.values() for artifact in values]
        for artifact in artifacts:
            fingerprint = fingerprints.take(artifact.uri)
            artifact.custom_properties[CONTENT_FINGERPRINT].string_value = fingerprint
            artifact.custom_properties[MADE_IN_RUN].string_value = dag.run_id
        handle.store.put_artifacts(artifacts)
        [execution] = handle.store.get_executions_by_id([execution_id])
        # Last: an execution with this mark has fingerprints for all of its outputs.
        _sign(handle.store, execution, key_inputs)
        return outputs


def key_inputs_of(execution: metadata_store_pb2.Execution) -> KeyInputs | None:
    """What an execution depended on, None where it does not say."""
    text = history.text_property(execution, names.CACHE_KEY_INPUTS)
    return KeyInputs.from_json(text) if text else None


def damage(outputs: Artifacts) -> str | None:
    """Says what is wrong with the files of earlier outputs, None if nothing is."""
    for key, artifacts in sorted(outputs.items()):
        for artifact in artifacts:
            if names.PRUNED in artifact.custom_properties:
                return f"output {key}: pruned, to free its room"
            reason = fingerprints.difference(artifact.uri, history.fingerprint_of(artifact))
            if reason is not None:
                return f"output {key}: {reason}"
    return None


def check_still_there(dag: Dag, outputs: Artifacts) -> None:
    """Makes sure that nobody has pruned what was taken before it was written down as taken.

    Raises:
      RuntimeError: somebody has.
    """
    ids = [artifact.id for artifacts in outputs.values() for artifact in artifacts]
    with dag.metadata as handle:
        found = handle.store.get_artifacts_by_id(ids) if ids else []
    if any(names.PRUNED in artifact.custom_properties for artifact in found):
        raise RuntimeError("what was taken from the cache was pruned at that moment; run it again")


def _sign(store, execution: metadata_store_pb2.Execution, key_inputs: KeyInputs) -> None:
    execution.custom_properties[names.CACHE_KEY].string_value = key_inputs.key
    # It names every source file, which is too long for a string in PostgreSQL.
    long_text.put(execution.custom_properties[names.CACHE_KEY_INPUTS], key_inputs.to_json())
    store.put_executions([execution])
