"""Runs the DAG on this machine, node by node, and says what became of each.

TFX's LocalDagRunner does the same, but tells nobody which node runs, which came from the cache
and which failed; and its output is one stream. The launcher of each node is TFX's own.
"""

import contextlib
import dataclasses
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import compiler, constants
from tfx.orchestration import metadata
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import launcher, runtime_parameter_utils

from components import progress
from pipeline.console import RunConsole
from pipeline.output_capture import OutputCapture

# Nodes that may see a GPU. All others must not: the trainer needs all of its memory.
GPU_NODES = ("HorovodTrainer",)
_GPU_VARIABLE = "CUDA_VISIBLE_DEVICES"


@dataclasses.dataclass(frozen=True)
class NodeResult:
    """What became of a node.

    Attributes:
      id: the node's id.
      state: ran, cached, failed or skipped.
      secs: how long it took.
      outputs: output artifacts by key, as ML Metadata has them.
    """

    id: str
    state: str
    secs: float
    outputs: Mapping[str, metadata_store_pb2.Artifact] = dataclasses.field(default_factory=dict)


class NodeError(Exception):
    """A node raised; `__cause__` is what it raised (KeyboardInterrupt and SystemExit too)."""

    def __init__(self, node_id: str, log: Path, results: Sequence[NodeResult]):
        """`log` holds the node's output; `results` is what became of all nodes."""
        super().__init__(f"{node_id} failed")
        self.node_id = node_id
        self.log = log
        self.results = list(results)


def run(
    pipeline: tfx_pipeline.Pipeline,
    run_id: str,
    connection: metadata_store_pb2.ConnectionConfig,
    console: RunConsole,
    capture: OutputCapture,
    log_dir: Path,
) -> list[NodeResult]:
    """Runs all nodes in the order of the data.

    Args:
      pipeline: the DAG.
      run_id: names the run in ML Metadata.
      connection: where ML Metadata is.
      console: is told when nodes start, progress and end.
      capture: sends the output of each node to `log_dir/<node id>.log`.
      log_dir: the folder of this run's logs.

    Returns:
      What became of each node, in order.

    Raises:
      NodeError: a node failed or was interrupted; the nodes after it were skipped.
    """
    ir = compiler.Compiler().compile(pipeline)
    runtime_parameter_utils.substitute_runtime_parameter(
        ir, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id}
    )
    nodes = [node.pipeline_node for node in ir.nodes]
    results: list[NodeResult] = []
    for number, node in enumerate(nodes, start=1):
        node_id = node.node_info.id
        console.node_started(node_id, number, len(nodes))
        start = time.monotonic()
        log = log_dir / f"{node_id}.log"
        try:
            with (
                capture.to_file(log),
                _progress_to(console.node_progress),
                _gpu_hidden(node_id not in GPU_NODES),
            ):
                state, outputs = _launch(ir, node, connection)
        except BaseException as error:
            secs = time.monotonic() - start
            console.node_finished(node_id, "failed", secs)
            results.append(NodeResult(node_id, "failed", secs))
            results += [NodeResult(n.node_info.id, "skipped", 0.0) for n in nodes[len(results) :]]
            raise NodeError(node_id, log, results) from error
        secs = time.monotonic() - start
        console.node_finished(node_id, state, secs)
        results.append(NodeResult(node_id, state, secs, outputs))
    return results


def _launch(ir, node, connection) -> tuple[str, Mapping[str, metadata_store_pb2.Artifact]]:
    deployment = runner_utils.extract_local_deployment_config(ir)
    node_id = node.node_info.id
    logging.info("Node %s starts", node_id)
    try:
        info = launcher.Launcher(
            pipeline_node=node,
            mlmd_connection=metadata.Metadata(connection),
            pipeline_info=ir.pipeline_info,
            pipeline_runtime_spec=ir.runtime_spec,
            executor_spec=runner_utils.extract_executor_spec(deployment, node_id),
            custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, node_id),
        ).launch()
        return _outcome(connection, info)
    except BaseException:
        logging.exception("Node %s failed", node_id)  # into the node's log, with the traceback
        raise


def _outcome(connection, info) -> tuple[str, Mapping[str, metadata_store_pb2.Artifact]]:
    if info is None or not info.execution_id:
        return "skipped", {}
    with metadata.Metadata(connection) as handle:
        [execution] = handle.store.get_executions_by_id([info.execution_id])
        events = [
            event
            for event in handle.store.get_events_by_execution_ids([execution.id])
            if event.type == metadata_store_pb2.Event.OUTPUT
        ]
        artifacts = handle.store.get_artifacts_by_id([event.artifact_id for event in events])
    by_id = {artifact.id: artifact for artifact in artifacts}
    outputs = {event.path.steps[0].key: by_id[event.artifact_id] for event in events}
    states = metadata_store_pb2.Execution
    if execution.last_known_state == states.CACHED:
        return "cached", outputs
    if execution.last_known_state == states.COMPLETE:
        return "ran", outputs
    # The launcher publishes an execution whose inputs could not be resolved and does not raise.
    raise RuntimeError(
        f"execution {execution.id} ended as {states.State.Name(execution.last_known_state)}"
    )


class _ProgressHandler(logging.Handler):
    def __init__(self, show: Callable[[float | None, str], None]):
        super().__init__()
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        self._show(getattr(record, "fraction", None), record.getMessage())


@contextlib.contextmanager
def _progress_to(show: Callable[[float | None, str], None]) -> Iterator[None]:
    """What components report in the block is shown by `show(fraction, text)`."""
    handler = _ProgressHandler(show)
    logger = logging.getLogger(progress.LOGGER_NAME)
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


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
