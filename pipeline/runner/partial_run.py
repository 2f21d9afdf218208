"""Runs of a part of the pipeline: which nodes run, and what stands in for those before them."""

import dataclasses
from collections.abc import Mapping

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import data_types_utils
from tfx.orchestration.portable import partial_run_utils
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.proto.orchestration import pipeline_pb2

from pipeline.cache import decide, records
from pipeline.cache.key_inputs import KeyInputs, describe_changes
from pipeline.dag import Dag
from pipeline.mlmd import history, names
from pipeline.mlmd.history import Artifacts, History
from preprocessing.errors import InputError


@dataclasses.dataclass(frozen=True)
class Reused:
    """An earlier result.

    Attributes:
      execution_id: of the earlier execution.
      run_name: the run that it belongs to.
      outputs: its artifacts by key.
      properties: its exec properties.
      key_inputs: what it depended on, None if that is not known.
    """

    execution_id: int
    run_name: str
    outputs: Artifacts
    properties: Mapping[str, object]
    key_inputs: KeyInputs | None


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run does.

    Attributes:
      run: names of the nodes that run.
      reuse: earlier results of nodes before them.
      notes: what a person should know of it, a line each.
    """

    run: frozenset[str]
    reuse: Mapping[str, Reused] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()


def plan(dag: Dag, first: str | None, last: str | None) -> Plan:
    """Plans a run.

    Args:
      dag: the pipeline.
      first: run this node and those that depend on it; None: all.
      last: run this node and those that it depends on; None: all.

    Returns:
      The plan: the nodes that lie between, and for the nodes that those depend on the newest
      results that belong together.

    Raises:
      InputError: nothing lies between, or an earlier result is missing or damaged.
    """
    if first is None and last is None:
        return Plan(frozenset(dag.nodes))
    marked = pipeline_pb2.Pipeline()
    marked.CopyFrom(dag.ir)
    partial_run_utils.mark_pipeline(
        marked, from_nodes=[first] if first else None, to_nodes=[last] if last else None
    )
    running = frozenset(
        node.pipeline_node.node_info.id
        for node in marked.nodes
        if node.pipeline_node.execution_options.HasField("run")
    )
    if not running:
        raise InputError(
            f"--from must not come after --until in the pipeline. Received: --from {first}, "
            f"--until {last}"
        )
    needed = set().union(*(dag.ancestors(node_id) for node_id in running)) - running
    with dag.metadata as handle:
        reuse = _choose(History(handle.store, dag.name), dag, needed, first or "")
    feeding = {s.node_id for n in running for found in dag.sources(n).values() for s in found}
    for node_id in sorted(feeding & needed):
        reason = records.damage(reuse[node_id].outputs)
        if reason is not None:
            raise InputError(
                f"--from {first} needs the earlier result of {node_id}, which is damaged "
                f"({reason}); run without --from, or --from {node_id}"
            )
    return Plan(running, reuse, tuple(_notes(dag, reuse)))


def _choose(past: History, dag: Dag, needed: set[str], first: str) -> dict[str, Reused]:
    """The newest result of each node that was made from the chosen results before it."""
    chosen: dict[str, Reused] = {}
    for node_id in dag.nodes:
        if node_id in needed:
            found = next(
                (e for e in _usable(past, node_id) if _fits(past, dag, node_id, e, chosen)), None
            )
            if found is None:
                raise InputError(_missing(past, dag, node_id, first))
            run = past.run_of(found.id)
            chosen[node_id] = Reused(
                found.id,
                run.name if run is not None else "",
                past.outputs(found.id),
                _exec_properties(found),
                records.key_inputs_of(found),
            )
    return chosen


def _usable(past: History, node_id: str) -> list[metadata_store_pb2.Execution]:
    """Executions that succeeded and whose outputs have fingerprints, the newest first."""
    return [e for e in past.successful(node_id) if history.text_property(e, names.CACHE_KEY)]


def _fits(past, dag: Dag, node_id: str, execution, chosen: Mapping[str, Reused]) -> bool:
    outputs = {name: reused.outputs for name, reused in chosen.items()}
    wanted = {
        key: [decide.identity(past.store, artifact) for artifact in artifacts]
        for key, artifacts in dag.inputs(node_id, outputs).items()
    }
    made_from = {
        key: [decide.identity(past.store, artifact) for artifact in artifacts]
        for key, artifacts in past.inputs(execution.id).items()
    }
    return {k: v for k, v in wanted.items() if v} == made_from


def _missing(past: History, dag: Dag, node_id: str, first: str) -> str:
    if not _usable(past, node_id):
        return (
            f"--from {first} needs an earlier result of {node_id}, and there is none in this "
            f"output folder's ML Metadata; run without --from first, or --from {node_id}"
        )
    before = sorted({s.node_id for found in dag.sources(node_id).values() for s in found})
    return (
        f"--from {first} needs a result of {node_id} that was made from the newest result of "
        f"{' and '.join(before)}, and there is none; start --from {node_id}"
    )


def _exec_properties(execution: metadata_store_pb2.Execution) -> dict[str, object]:
    own = {names.CACHE_KEY, names.CACHE_KEY_INPUTS}
    return {
        key: data_types_utils.get_metadata_value(value)
        for key, value in execution.custom_properties.items()
        if key not in own and not execution_lib.is_internal_key(key)
    }


def _notes(dag: Dag, reuse: Mapping[str, Reused]) -> list[str]:
    """Where the results are from, and what is otherwise now than when they were made."""
    names: dict[str, list[str]] = {}
    for node_id, reused in reuse.items():
        names.setdefault(reused.run_name, []).append(node_id)
    notes = [f"not run, taken from run {run}: {', '.join(nodes)}" for run, nodes in names.items()]
    outputs = {node_id: reused.outputs for node_id, reused in reuse.items()}
    for node_id, reused in reuse.items():
        if reused.key_inputs is None:
            continue
        now = decide.key_inputs_now(dag, node_id, dag.inputs(node_id, outputs))
        changes = describe_changes(reused.key_inputs, now, unknown=now.inputs)
        if changes:
            notes.append(f"{node_id} is not run, although: {'; '.join(changes)}")
    return notes
