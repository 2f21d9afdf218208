"""Who runs: each run says in ML Metadata where it runs, so that others know when it is dead.

A process that is killed cannot write that its execution failed. The next run does it: an output
folder's lock is held for as long as the process lives, on every way that it may end.
"""

import glob
import logging
import os
import shutil
from pathlib import Path

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import constants
from tfx.orchestration.portable.mlmd import context_lib, execution_lib

from pipeline.dag import Dag
from pipeline.mlmd import liveness
from pipeline.mlmd.history import History
from pipeline.mlmd.names import ENDED_BY, HOST, OUTPUT_DIR, OUTPUT_ID, PID
from pipeline.output_dir import ARTIFACTS_FOLDER
from preprocessing.errors import InputError


def claim(dag: Dag, output_dir: Path) -> None:
    """Writes down who this run is. The folder's lock must be held.

    Raises:
      InputError: ML Metadata, which is shared, has a run of this name from elsewhere.
    """
    first = next(iter(dag.nodes.values()))
    with dag.metadata as handle:
        context_lib.prepare_contexts(handle, first.contexts)
        context = _run_context(handle.store, dag.run_id)
        if OUTPUT_DIR in context.custom_properties:
            raise InputError(
                "runs that share pipeline.metadata_uri must not start in the same second; start "
                f"this one again. Received: {dag.run_id}, which runs in "
                f"{context.custom_properties[OUTPUT_DIR].string_value!r}"
            )
        context.custom_properties[OUTPUT_DIR].string_value = str(output_dir)
        context.custom_properties[OUTPUT_ID].string_value = liveness.output_id(output_dir)
        context.custom_properties[HOST].string_value = liveness.host()
        context.custom_properties[PID].int_value = os.getpid()
        handle.store.put_contexts([context])


def fail_dead_executions(dag: Dag, output_dir: Path) -> list[str]:
    """Marks as failed what is marked as running although its process is gone.

    Args:
      dag: the pipeline; only its executions are looked at.
      output_dir: the folder whose lock this process holds.

    Returns:
      What was marked, as `<node> of run <run>`. Executions of other folders on other hosts, and
      of runs that do not say where they run, are left alone.
    """
    with dag.metadata as handle:
        past = History(handle.store, dag.name)
        dead, names = [], []
        for node_id in dag.nodes:
            for execution in past.executions(node_id):
                if execution_lib.is_execution_active(execution):
                    run = past.run_of(execution.id)
                    if run is not None and run.name != dag.run_id and _is_dead(run, output_dir):
                        dead.append(execution)
                        _remove_begun(output_dir, run, node_id, execution.id)
                        names.append(f"{node_id} of run {run.name}")
        _fail(handle.store, dead, "its process is gone")
        return names


def fail_own_executions(dag: Dag) -> None:
    """Marks as failed what this run began: the launcher does not for Ctrl-C and SIGTERM."""
    with dag.metadata as handle:
        context = _run_context(handle.store, dag.run_id)
        if context is not None:
            running = [
                execution
                for execution in handle.store.get_executions_by_context(context.id)
                if execution_lib.is_execution_active(execution)
            ]
            _fail(handle.store, running, "interrupted")


def _is_dead(run: metadata_store_pb2.Context, own_output_dir: Path) -> bool:
    if OUTPUT_DIR not in run.custom_properties:
        return False
    if run.custom_properties[OUTPUT_ID].string_value == liveness.output_id(own_output_dir):
        return True  # its lock is ours
    if run.custom_properties[HOST].string_value != liveness.host():
        return False
    return liveness.is_free(Path(run.custom_properties[OUTPUT_DIR].string_value))


def _remove_begun(
    output_dir: Path, run: metadata_store_pb2.Context, node_id: str, execution_id: int
) -> None:
    """Removes what an execution had begun to write here, as TFX does where a node fails."""
    if run.custom_properties[OUTPUT_ID].string_value != liveness.output_id(output_dir):
        return
    artifacts = output_dir / ARTIFACTS_FOLDER
    for folder in artifacts.glob(f"{glob.escape(node_id)}/*/{execution_id}"):
        logging.warning("removing %s, which was not finished", folder)
        shutil.rmtree(folder)


def _fail(store, executions: list[metadata_store_pb2.Execution], reason: str) -> None:
    for execution in executions:
        execution.last_known_state = metadata_store_pb2.Execution.FAILED
        execution.custom_properties[ENDED_BY].string_value = reason
        logging.warning("execution %d is marked as failed: %s", execution.id, reason)
    if executions:
        store.put_executions(executions)


def _run_context(store, run_id: str) -> metadata_store_pb2.Context | None:
    return store.get_context_by_type_and_name(constants.PIPELINE_RUN_CONTEXT_TYPE_NAME, run_id)
