"""Who runs: each run says in ML Metadata where it runs, so that others know when it is dead.

A process that is killed cannot write that its execution failed. The next run does it: an output
folder's lock is held for as long as the process lives, on every way that it may end.
"""

import glob
import logging
import os
import shutil
from pathlib import Path

from ml_metadata import errors
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.portable.mlmd import execution_lib

from pipeline.dag import Dag
from pipeline.mlmd import liveness, names
from pipeline.mlmd.history import History
from pipeline.output_dir import ARTIFACTS_FOLDER


def claim(dag: Dag, output_dir: Path) -> bool:
    """Takes the run's name in ML Metadata, and writes down who it is.

    The folder's lock must be held.

    Returns:
      Whether the name is this run's now; False where ML Metadata, which may be shared, has a run of
      this name already. Of several that try at the same time, one takes it.
    """
    with dag.metadata as handle:
        store = handle.store
        kind = metadata_store_pb2.ContextType(name=names.RUN_CONTEXT)
        context = metadata_store_pb2.Context(type_id=store.put_context_type(kind), name=dag.run_id)
        said = context.custom_properties
        said[names.OUTPUT_DIR].string_value = str(output_dir)
        said[names.OUTPUT_ID].string_value = liveness.output_id(output_dir)
        said[names.HOST].string_value = liveness.host()
        said[names.PID].int_value = os.getpid()
        said[names.BEAT].string_value = liveness.beat_now()
        try:
            store.put_contexts([context])
        except errors.AlreadyExistsError:
            # It is our own where the reply to the write was lost.
            found = store.get_context_by_type_and_name(names.RUN_CONTEXT, dag.run_id)
            return found is not None and _says(found) == _says(context)
    return True


def fail_dead_executions(dag: Dag, output_dir: Path) -> list[str]:
    """Marks as failed what is marked as running although its process is gone.

    Args:
      dag: the pipeline; only its executions are looked at.
      output_dir: the folder whose lock this process holds.

    Returns:
      What was marked, as `<node> of run <run>`. Executions of runs that do not say where they run
      are left alone, and so are those of other hosts for as long as they may live.
    """
    with dag.metadata as handle:
        past = History(handle.store, dag.name)
        dead, marked = [], []
        for node_id in dag.nodes:
            for execution in filter(execution_lib.is_execution_active, past.executions(node_id)):
                run = past.run_of(execution.id)
                if run is None or run.name == dag.run_id or not _is_dead(run, output_dir):
                    continue
                # Its process may have ended well since the execution was read.
                [now] = handle.store.get_executions_by_id([execution.id])
                if execution_lib.is_execution_active(now):
                    dead.append(now)
                    _remove_begun(output_dir, run, node_id, now.id)
                    marked.append(f"{node_id} of run {run.name}")
        _fail(handle.store, dead, "its process is gone")
        return marked


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
    said = run.custom_properties
    if names.OUTPUT_DIR not in said:
        return False
    if said[names.OUTPUT_ID].string_value == liveness.output_id(own_output_dir):
        return True  # its lock is ours
    folder, host = said[names.OUTPUT_DIR].string_value, said[names.HOST].string_value
    return liveness.is_dead(Path(folder), host, liveness.last_beat(run))


def _remove_begun(
    output_dir: Path, run: metadata_store_pb2.Context, node_id: str, execution_id: int
) -> None:
    """Removes what an execution had begun to write here, as TFX does where a node fails."""
    if run.custom_properties[names.OUTPUT_ID].string_value != liveness.output_id(output_dir):
        return
    artifacts = output_dir / ARTIFACTS_FOLDER
    for folder in artifacts.glob(f"{glob.escape(node_id)}/*/{execution_id}"):
        logging.warning("removing %s, which was not finished", folder)
        shutil.rmtree(folder)


def _fail(store, executions: list[metadata_store_pb2.Execution], reason: str) -> None:
    for execution in executions:
        execution.last_known_state = metadata_store_pb2.Execution.FAILED
        execution.custom_properties[names.ENDED_BY].string_value = reason
        logging.warning("execution %d is marked as failed: %s", execution.id, reason)
    if executions:
        store.put_executions(executions)


def _says(run: metadata_store_pb2.Context) -> dict[str, str]:
    return {name: str(value) for name, value in run.custom_properties.items()}


def _run_context(store, run_id: str) -> metadata_store_pb2.Context | None:
    return store.get_context_by_type_and_name(names.RUN_CONTEXT, run_id)
