"""Steps of a small DAG in containers, as the launcher of Kubeflow Pipelines runs them."""

import json
import os
import shutil
from pathlib import Path

import pytest
import small_dag
import yaml
from kubeflow_backend import Backend, DriverError
from kubeflow_submission import RefusedError
from tfx import types
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.artifacts import Verdict
from kubeflow import compile as compiler

PLATFORM = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {}}}}}


def compiled(pipeline: tfx_pipeline.Pipeline) -> str:
    images = {node.id: "image" for node in pipeline.components}
    return compiler.to_yaml(pipeline, images=images, platform=PLATFORM)


def small(text: str = "four", **more) -> str:
    return compiled(small_dag.make_pipeline(Path("/nowhere"), text, **more))


@pytest.fixture
def backend(tmp_path) -> Backend:
    return Backend(tmp_path / "cluster", {})


def read(backend: Backend, run, node: str, key: str, name: str) -> str:
    return (backend.remote_folder(run.outputs[node][key]["uri"]) / name).read_text()


@pytest.mark.parametrize(
    ("root", "without_mlmd", "in_tmp"),
    [
        ("minio://bucket/a", False, False),
        ("minio://bucket/a", True, True),
        ("s3://bucket/b", False, True),
        ("gs://bucket/c", True, False),
    ],
)
def test_a_run_hands_files_from_step_to_step(tmp_path, without_mlmd, in_tmp, root):
    backend = Backend(
        tmp_path / "cluster", {}, without_mlmd=without_mlmd, output_file_in_tmp=in_tmp
    )
    run = backend.run(small(), pipeline_root=root)
    assert run.states == dict.fromkeys(["Writer", "Copier", "Counter"], "succeeded"), run.logs
    assert read(backend, run, "Counter", "count", "count.txt") == "4"
    assert run.outputs["Writer"]["written"]["uri"].startswith(f"{root}/small/{run.id}/Writer/")


def test_commands_run_verbatim_in_new_interpreters(tmp_path):
    backend = Backend(tmp_path / "cluster", {}, new_interpreters=True)
    pipeline = tfx_pipeline.Pipeline(
        pipeline_name="one", pipeline_root="/nowhere", components=[Maker("folders")]
    )
    run = backend.run(compiled(pipeline))
    assert run.states == {"Maker": "succeeded"}, run.logs
    assert read(backend, run, "Maker", "made", "full/file") == "x"


def test_the_cluster_that_is_emulated_refuses_what_the_real_one_refuses(backend):
    with pytest.raises(RefusedError, match="unknown parameter"):
        backend.run(small(), {"text": "x"})
    with pytest.raises(RefusedError, match=r"2\.1\.0"):
        backend.run(small().replace("2.1.0", "2.0.0"))
    with pytest.raises(RefusedError, match="unknown template format"):
        backend.run(small().replace("schemaVersion", "extra: 1\nschemaVersion"))
    with pytest.raises(DriverError, match="pipeline root"):
        backend.run(small(), pipeline_root="/artifacts")


def test_a_failing_step_says_why_and_ends_what_depends_on_it(backend):
    run = backend.run(small(small_dag.FAIL))
    assert run.states == {"Writer": "failed", "Copier": "omitted", "Counter": "omitted"}
    assert "Writer: ValueError: the writer fails" in run.logs["Writer"]
    assert "exit status 3" in run.logs["Writer"]


def test_input_that_is_gone_ends_the_step_that_reads_it(tmp_path):
    backend = Backend(tmp_path / "cluster", {})
    run = backend.run(small(), before={"Copier": lambda cluster: shutil.rmtree(cluster.remote)})
    assert run.states == {"Writer": "succeeded", "Copier": "failed", "Counter": "omitted"}
    assert "Copier: input source: its files are gone from the bucket" in run.logs["Copier"]


class MakerSpec(types.ComponentSpec):
    PARAMETERS = {"what": ExecutionParameter(type=str)}
    INPUTS = {}
    OUTPUTS = {"made": ChannelParameter(type=standard_artifacts.Examples)}


class MakerExecutor(base_executor.BaseExecutor):
    """Does something that a bucket, or the launcher, does not bear."""

    def Do(self, input_dict, output_dict, exec_properties):
        [made] = output_dict["made"]
        folder = Path(made.uri)
        match exec_properties["what"]:
            case "folders":
                (folder / "empty" / "deep").mkdir(parents=True)
                (folder / "full").mkdir()
                (folder / "full" / "file").write_text("x")
            case "nothing":
                pass
            case "removed":
                folder.rmdir()
            case "elsewhere":
                made.uri = "/tmp/elsewhere"
                Path(made.uri).mkdir()
            case "null":
                made.mlmd_artifact.custom_properties["undefined"].SetInParent()
            case "deep null":
                made.set_json_value_custom_property("undefined", {"a": [1, None]})
            case "large":
                made.set_int_custom_property("large", 2**53)
            case "nan":
                made.set_float_custom_property("loss", float("nan"))
            case "values":
                made.set_int_custom_property("count", 2**53 - 1)
                made.set_float_custom_property("share", 0.1)
                made.set_string_custom_property("name", 'ä "b" {{$}}')
                made.set_json_value_custom_property("list", [1, "two", {"three": 3}])
                made.set_json_value_custom_property("dict", {"a": {"b": [True]}})
                made.split_names = '["train"]'
                made.span = 7


class Maker(base_component.BaseComponent):
    SPEC_CLASS = MakerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(MakerExecutor)

    def __init__(self, what: str):
        made = types.Channel(type=standard_artifacts.Examples)
        super().__init__(MakerSpec(what=what, made=made))


class LookerSpec(types.ComponentSpec):
    PARAMETERS = {}
    INPUTS = {"made": ChannelParameter(type=standard_artifacts.Examples)}
    OUTPUTS = {"seen": ChannelParameter(type=Verdict)}


class LookerExecutor(base_executor.BaseExecutor):
    """Writes down what it sees of its input."""

    def Do(self, input_dict, output_dict, exec_properties):
        [made], [seen] = input_dict["made"], output_dict["seen"]
        folder = Path(made.uri)
        found = {
            "type": type(made).__name__,
            "files": sorted(str(path.relative_to(folder)) for path in folder.rglob("*")),
            "properties": {
                name: made.get_custom_property(name)
                for name in ("count", "share", "name", "list", "dict", "loss")
            },
            "count": made.get_int_custom_property("count"),
            "span": made.span,
            "split_names": made.split_names,
            "tmp": os.listdir("/tmp"),
        }
        Path(seen.uri, "seen.json").write_text(json.dumps(found))


class Looker(base_component.BaseComponent):
    SPEC_CLASS = LookerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(LookerExecutor)

    def __init__(self, made: types.BaseChannel):
        super().__init__(LookerSpec(made=made, seen=types.Channel(type=Verdict)))


def two_steps(what: str) -> str:
    maker = Maker(what)
    looker = Looker(maker.outputs["made"])
    return compiled(
        tfx_pipeline.Pipeline(
            pipeline_name="two", pipeline_root="/nowhere", components=[maker, looker]
        )
    )


def seen_of(backend: Backend, what: str) -> dict:
    run = backend.run(two_steps(what))
    assert run.states == {"Maker": "succeeded", "Looker": "succeeded"}, run.logs
    return json.loads(read(backend, run, "Looker", "seen", "seen.json"))


def test_empty_folders_survive(backend):
    found = seen_of(backend, "folders")
    assert found["files"] == ["empty", "empty/deep", "full", "full/file"]
    assert seen_of(backend, "nothing")["files"] == []


@pytest.mark.parametrize("without_mlmd", [False, True])
def test_metadata_arrives_as_it_was(tmp_path, without_mlmd):
    found = seen_of(Backend(tmp_path / "cluster", {}, without_mlmd=without_mlmd), "values")
    assert found["type"] == "Examples"
    assert found["properties"] == {
        "count": 2**53 - 1,
        "share": 0.1,
        "name": 'ä "b" {{$}}',
        "list": [1, "two", {"three": 3}],
        "dict": {"a": {"b": [True]}},
        "loss": None,
    }
    assert (found["count"], found["span"], found["split_names"]) == (2**53 - 1, 7, '["train"]')


def test_a_number_that_is_none_is_left_out(backend):
    assert seen_of(backend, "nan")["properties"]["loss"] is None


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("removed", "output made was not made"),
        ("elsewhere", "output made must lie in the run's folder"),
        ("null", "property 'undefined' has no value"),
        ("deep null", "property 'undefined' must not hold a null"),
        ("large", "property 'large' must be below 2^53"),
    ],
)
def test_what_the_next_step_would_trip_over_ends_the_step_that_made_it(backend, what, words):
    run = backend.run(two_steps(what))
    assert run.states == {"Maker": "failed", "Looker": "omitted"}
    [line] = [line for line in run.logs["Maker"].splitlines() if line.startswith("Maker: ")]
    assert words in line


def changed(change) -> str:
    """The small pipeline with changes that our own checks would refuse."""
    documents = list(yaml.safe_load_all(small()))
    change(*documents)
    return yaml.safe_dump_all(documents)


def task(document, name: str) -> dict:
    return document["root"]["dag"]["tasks"][name]


SILENT = {
    "unknown field of a container": lambda d, p: d["deploymentSpec"]["executors"][
        "Writer_executor"
    ]["container"].update(memory=1),
    "misspelled platforms": lambda d, p: p.update(platform=p.pop("platforms")),
    "unknown executor": lambda d, p: p["platforms"]["kubernetes"]["deploymentSpec"][
        "executors"
    ].update(Nobody={"imagePullPolicy": "Sometimes"}),
}


@pytest.mark.parametrize("change", SILENT)
def test_the_cluster_that_is_emulated_says_nothing_where_the_real_one_says_nothing(backend, change):
    assert set(backend.run(changed(SILENT[change])).states.values()) == {"succeeded"}


FAILING = {
    "missing input": (
        lambda d, p: task(d, "Copier")["inputs"]["artifacts"].pop("source"),
        "missing component input artifact source",
    ),
    "unknown output": (
        lambda d, p: task(d, "Copier")["inputs"]["artifacts"]["source"][
            "taskOutputArtifact"
        ].update(outputArtifactKey="read"),
        "panic",
    ),
    "pull policy": (
        lambda d, p: p["platforms"]["kubernetes"]["deploymentSpec"]["executors"].update(
            Copier_executor={"imagePullPolicy": "Sometimes"}
        ),
        "Sometimes",
    ),
}


@pytest.mark.parametrize("change", FAILING)
def test_the_cluster_that_is_emulated_fails_in_a_step_where_the_real_one_does(backend, change):
    act, words = FAILING[change]
    run = backend.run(changed(act))
    assert run.states == {"Writer": "succeeded", "Copier": "failed", "Counter": "omitted"}
    assert words in run.logs["Copier"]


def test_a_parameter_of_another_type_fails_in_the_step(backend):
    def change(document, _platform) -> None:
        parameters = task(document, "Writer")["inputs"]["parameters"]
        parameters["text"] = {"runtimeValue": {"constant": 4}}

    run = backend.run(changed(change))
    assert run.states["Writer"] == "failed"
    assert "expect STRING" in run.logs["Writer"]
