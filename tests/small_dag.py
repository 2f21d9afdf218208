"""A DAG of three nodes that run in milliseconds: Writer -> Copier -> Counter."""

import io
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.property_driver import PropertyDriver
from pipeline.console import RunConsole
from pipeline.dag import Dag
from pipeline.mlmd.connection import Connection, locate
from pipeline.mlmd.handle import Handle
from pipeline.runner import local_runner, partial_run, run_claims
from preprocessing.files.code_digest import code_digest
from preprocessing.output_capture import OutputCapture

KILL, FAIL, CTRL_C = "kill", "fail", "ctrl-c"
# What the Writer of a test's own process does while it writes.
WHILE_WRITING: list[Callable[[], None]] = []


class WriterSpec(types.ComponentSpec):
    PARAMETERS = {
        "text": ExecutionParameter(type=str),
        "comment": ExecutionParameter(type=str),
        "watch": ExecutionParameter(type=str),
        "code_digest": ExecutionParameter(type=str),
    }
    INPUTS = {}
    OUTPUTS = {"written": ChannelParameter(type=standard_artifacts.Examples)}


class WriterExecutor(base_executor.BaseExecutor):
    def Do(self, input_dict, output_dict, exec_properties: dict[str, Any]) -> None:
        text = exec_properties["text"]
        folder = Path(artifact_utils.get_single_uri(output_dict["written"]))
        (folder / "data").mkdir()
        (folder / "data" / "text.txt").write_text(text + exec_properties.get("watched", ""))
        (folder / "length.txt").write_text(str(len(text)))
        for act in WHILE_WRITING:
            act()
        if text == KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        if text == CTRL_C:
            raise KeyboardInterrupt
        if text == FAIL:
            raise ValueError("the writer fails")


class WriterDriver(PropertyDriver):
    def properties(self, execution_info) -> dict[str, Any]:
        path = execution_info.exec_properties["watch"]
        return {"watched": Path(path).read_text()} if path else {}


class Writer(base_component.BaseComponent):
    """Writes `text`; `comment` is a property that changes nothing."""

    SPEC_CLASS = WriterSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(WriterExecutor)
    DRIVER_CLASS = WriterDriver

    def __init__(
        self, text: str, comment: str = "", watch: str = "", code_root: Path | None = None
    ):
        digest = code_digest("components.worker", root=code_root) if code_root else ""
        super().__init__(
            WriterSpec(
                text=text,
                comment=comment,
                watch=watch,
                code_digest=digest,
                written=types.Channel(type=standard_artifacts.Examples),
            )
        )


class CopierSpec(types.ComponentSpec):
    PARAMETERS = {}
    INPUTS = {"source": ChannelParameter(type=standard_artifacts.Examples)}
    OUTPUTS = {"copy": ChannelParameter(type=standard_artifacts.Examples)}


class CopierExecutor(base_executor.BaseExecutor):
    def Do(self, input_dict, output_dict, exec_properties) -> None:
        source = Path(artifact_utils.get_single_uri(input_dict["source"]))
        copy = Path(artifact_utils.get_single_uri(output_dict["copy"]))
        (copy / "copy.txt").write_text((source / "data" / "text.txt").read_text())


class Copier(base_component.BaseComponent):
    SPEC_CLASS = CopierSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(CopierExecutor)

    def __init__(self, source: types.BaseChannel):
        copy = types.Channel(type=standard_artifacts.Examples)
        super().__init__(CopierSpec(source=source, copy=copy))


class CounterSpec(types.ComponentSpec):
    PARAMETERS = {}
    INPUTS = {
        "source": ChannelParameter(type=standard_artifacts.Examples),
        "original": ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS = {"count": ChannelParameter(type=standard_artifacts.Examples)}


class CounterExecutor(base_executor.BaseExecutor):
    def Do(self, input_dict, output_dict, exec_properties) -> None:
        source = Path(artifact_utils.get_single_uri(input_dict["source"]))
        count = Path(artifact_utils.get_single_uri(output_dict["count"]))
        (count / "count.txt").write_text(str(len((source / "copy.txt").read_text())))


class Counter(base_component.BaseComponent):
    SPEC_CLASS = CounterSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(CounterExecutor)

    def __init__(self, source: types.BaseChannel, original: types.BaseChannel):
        count = types.Channel(type=standard_artifacts.Examples)
        super().__init__(CounterSpec(source=source, original=original, count=count))


def make_pipeline(root: Path, text: str, **more) -> tfx_pipeline.Pipeline:
    """The DAG; `more` goes to the Writer."""
    writer = Writer(text, **more)
    copier = Copier(writer.outputs["written"])
    counter = Counter(copier.outputs["copy"], writer.outputs["written"])
    return tfx_pipeline.Pipeline(
        pipeline_name="small", pipeline_root=str(root), components=[writer, copier, counter]
    )


class SmallRuns:
    """Runs of the small DAG in an output folder, one after the other."""

    def __init__(self, folder: Path, connection: Connection | None = None):
        self.folder = folder
        self.connection = connection or locate("", folder / "metadata.sqlite")
        self.count = 0
        self.claimed_by = folder

    def dag(self, text: str, **more) -> Dag:
        self.count += 1
        pipeline = make_pipeline(self.folder / "artifacts", text, **more)
        return Dag(pipeline, f"run-{self.count}", self.connection)

    def run(self, text: str, *, first=None, last=None, cache_off=None, **more):
        """Returns what became of the nodes, by name."""
        dag = self.dag(text, **more)
        plan = partial_run.plan(dag, first, last)
        assert run_claims.claim(dag, self.claimed_by)
        run_claims.fail_dead_executions(dag, self.folder)
        results = local_runner.run(
            dag,
            RunConsole(io.StringIO()),
            OutputCapture(enabled=False),
            self.folder / "logs",
            plan=plan,
            cache_off=cache_off or {},
        )
        return {result.id: result for result in results}

    def states(self) -> dict[int, str]:
        """The states of all executions, by number."""
        with Handle(self.connection) as handle:
            return {
                e.id: metadata_store_pb2.Execution.State.Name(e.last_known_state)
                for e in handle.store.get_executions()
            }
