"""Runs the DAG on this machine, node by node, and says what became of each.

TFX's LocalDagRunner does the same, but tells nobody which node runs, which came from the cache
and which failed; its output is one stream; and its cache knows less (`pipeline/cache/decide.py`).
The launcher of each node is TFX's own.
"""

import contextlib
import logging
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ml_metadata.proto import metadata_store_pb2

from pipeline.cache import decide, records
from pipeline.console import RunConsole
from pipeline.dag import Dag
from pipeline.mlmd.away import StoreAwayError
from pipeline.mlmd.history import Artifacts
from pipeline.node_result import NodeError, NodeResult
from pipeline.progress_display import reports_shown_by
from pipeline.runner import run_claims
from pipeline.runner.partial_run import Plan
from pipeline.runner.peak_memory import PeakMemory
from preprocessing.output_capture import OutputCapture

# Nodes that may see a GPU. All others must not: the trainer needs all of its memory.
GPU_NODES = ("HorovodTrainer",)
REUSE_LOG = "reuse.log"
_GPU_VARIABLE = "CUDA_VISIBLE_DEVICES"


def run(
    dag: Dag,
    console: RunConsole,
    capture: OutputCapture,
    log_dir: Path,
    *,
    plan: Plan,
    cache_off: Mapping[str, str],
) -> list[NodeResult]:
    """Runs all nodes of the plan in the order of the data.

    Args:
      dag: the pipeline.
      console: shows when nodes start, progress and end.
      capture: sends the output of each node to `log_dir/<node id>.log`.
      log_dir: the folder of this run's logs.
      plan: which nodes run, and which earlier results stand in for the others.
      cache_off: the nodes that must not be taken from the cache, and why.

    Returns:
      What became of each node, in order.

    Raises:
      NodeError: a node failed or was interrupted; the nodes after it were skipped.
    """
    results: list[NodeResult] = []
    outputs: dict[str, Artifacts] = {}
    for number, node_id in enumerate(dag.nodes, start=1):
        if node_id not in plan.run:
            with capture.to_file(log_dir / REUSE_LOG):
                results.append(_without_running(dag, node_id, plan, outputs))
            continue
        console.node_started(node_id, number, len(dag.nodes))
        start, memory = time.monotonic(), PeakMemory()
        log = log_dir / f"{node_id}.log"
        try:
            with (
                capture.to_file(log),
                reports_shown_by(console.node_progress),
                _gpu_hidden(node_id not in GPU_NODES),
                memory,
            ):
                state, why, outputs[node_id] = _run_node(dag, node_id, outputs, cache_off)
        except BaseException as error:
            secs = time.monotonic() - start
            console.node_finished(node_id, "failed", secs)
            results.append(_result(dag, node_id, "failed", secs, peak_memory_mb=memory.peak_mb))
            results += [_result(dag, n, "skipped", 0.0) for n in list(dag.nodes)[number:]]
            raise NodeError(node_id, log, results) from error
        secs = time.monotonic() - start
        console.node_finished(
            node_id, state, secs, why if state == "ran" and why != decide.NEVER_RAN else ""
        )
        peak_mb = memory.peak_mb if state == "ran" else None
        results.append(
            _result(
                dag,
                node_id,
                state,
                secs,
                outputs=_first(outputs[node_id]),
                why=why,
                peak_memory_mb=peak_mb,
            )
        )
    return results


def _result(dag: Dag, node_id: str, state: str, secs: float, **more: Any) -> NodeResult:
    """What became of a node, with what the DAG says of it."""
    sources = {
        key: [(source.node_id, source.key) for source in found]
        for key, found in dag.sources(node_id).items()
    }
    return NodeResult(
        node_id,
        state,
        secs,
        sources=sources,
        after=list(dag.nodes[node_id].upstream_nodes),
        settings=dag.static_properties(node_id),
        **more,
    )


def _without_running(
    dag: Dag, node_id: str, plan: Plan, outputs: dict[str, Artifacts]
) -> NodeResult:
    reused = plan.reuse.get(node_id)
    if reused is None:
        return _result(dag, node_id, "skipped", 0.0, why="not part of this run")
    inputs = dag.inputs(node_id, outputs)
    records.publish(dag, node_id, inputs, reused.outputs, reused.properties, reused.key_inputs)
    outputs[node_id] = reused.outputs
    why = f"taken from run {reused.run_name}"
    return _result(dag, node_id, "cached", 0.0, outputs=_first(reused.outputs), why=why)


def _run_node(
    dag: Dag, node_id: str, outputs: Mapping[str, Artifacts], cache_off: Mapping[str, str]
) -> tuple[str, str, Artifacts]:
    """Returns state, reason and outputs."""
    logging.info("Node %s starts", node_id)
    try:
        decision = decide.decide(dag, node_id, outputs, off=cache_off.get(node_id))
        logging.info("Cache: %s, %s", decision.state, decision.why)
        if decision.state == "hit":
            inputs = dag.inputs(node_id, outputs)
            records.publish(
                dag, node_id, inputs, decision.outputs, decision.properties, decision.key_inputs
            )
            records.check_still_there(dag, decision.outputs)
            return "cached", decision.why, decision.outputs
        info = dag.launch(node_id, decision.properties)
        _check_complete(dag, info)
        made = records.record(dag, info.execution_id, decision.key_inputs)
        return "ran", decision.why, made
    except BaseException:
        logging.exception("Node %s failed", node_id)  # into the node's log, with the traceback
        try:
            run_claims.fail_own_executions(dag)
        except StoreAwayError:  # which may be why the node failed
            logging.exception("what node %s began is not marked as failed", node_id)
        raise


def _check_complete(dag: Dag, info) -> None:
    """The launcher does not raise where the inputs of an execution could not be resolved."""
    with dag.metadata as handle:
        [execution] = handle.store.get_executions_by_id([info.execution_id])
    states = metadata_store_pb2.Execution
    if execution.last_known_state != states.COMPLETE:
        state = states.State.Name(execution.last_known_state)
        raise RuntimeError(f"execution {execution.id} ended as {state}")


def _first(outputs: Artifacts) -> dict[str, metadata_store_pb2.Artifact]:
    """Each of our outputs is one artifact."""
    return {key: artifacts[0] for key, artifacts in outputs.items() if artifacts}


@contextlib.contextmanager
def _gpu_hidden(hidden: bool) -> Iterator[None]:
    """No process that starts in the block, nor TensorFlow in this one, takes a GPU.

    This process does not use a GPU at all: the trainer's processes are children, which see the
    variable as the person set it.
    """
    before = os.environ.get(_GPU_VARIABLE)
    if hidden:
        os.environ[_GPU_VARIABLE] = "-1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_GPU_VARIABLE, None)
        else:
            os.environ[_GPU_VARIABLE] = before
