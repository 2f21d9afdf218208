"""`effnet compile`: two documents that a backend takes, or one line that says why it would not."""

import copy
import json
from pathlib import Path

import pytest
import small_dag
import yaml
from effnet import effnet
from tfx.dsl.components.common import resolver
from tfx.dsl.input_resolution.strategies import latest_artifact_strategy
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.types import Channel, standard_artifacts

from kubeflow import checks, platform_document
from kubeflow import compile as compiler
from pipeline import config_file, node_names
from preprocessing.errors import InputError

VALUES = {
    "data": {"path": "/data/digits"},
    "evaluation": {"min_top_1": 0.5},
    "serving": {"push_dir": "/state/serving", "model_name": "digits"},
    "kubeflow": {
        "pipeline_root": "minio://mlpipeline/root",
        "state_dir": "/state",
        "defaults": {
            "cpu": 2,
            "volumes": [{"claim": "data", "path": "/data"}, {"claim": "state", "path": "/state"}],
            "env": {"LEVEL": "info"},
        },
        "nodes": {
            "HorovodTrainer": {
                "gpus": 1,
                "memory_gb": 16,
                "timeout_secs": 3600,
                "node_selector": {"pool": "gpu"},
                "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
                "secrets": [{"name": "bucket", "env": {"AWS_SECRET_ACCESS_KEY": "secretkey"}}],
                "image": "registry/gpu:1",
                "image_pull_policy": "Always",
                "image_pull_secrets": ["registry"],
                "env": {"LEVEL": "debug"},
            },
            "Pusher": {"shared_memory_gb": 0.5, "volumes": [{"claim": "other", "path": "/data"}]},
        },
    },
}
IMAGE = "registry/cpu:1"


def load(folder: Path, *overrides: str, values=None):
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(VALUES if values is None else values))
    return config_file.load(path, overrides)


@pytest.fixture(scope="module")
def documents(tmp_path_factory) -> list[dict]:
    config = load(tmp_path_factory.mktemp("config"))
    return list(yaml.safe_load_all(compiler.compile_config(config, IMAGE)))


def container(documents, node: str) -> dict:
    return documents[0]["deploymentSpec"]["executors"][f"{node}_executor"]["container"]


def executor(documents, node: str) -> dict:
    platform = documents[1]["platforms"]["kubernetes"]
    return platform["deploymentSpec"]["executors"][f"{node}_executor"]


def test_the_pipeline_is_the_one_dag(documents):
    pipeline = documents[0]
    assert pipeline["schemaVersion"] == "2.1.0"
    assert pipeline["defaultPipelineRoot"] == "minio://mlpipeline/root"
    tasks = pipeline["root"]["dag"]["tasks"]
    assert set(tasks) == set(node_names.NODE_NAMES)
    assert all("cachingOptions" not in task for task in tasks.values())
    assert container(documents, "Pusher")["command"] == ["python", "-m", "kubeflow.entrypoint"]
    assert container(documents, "Pusher")["args"][:2] == ["--node_id", "Pusher"]


def test_parameters_of_a_run_have_defaults(documents):
    parameters = documents[0]["root"]["inputDefinitions"]["parameters"]
    assert parameters == {
        "data_path": {"parameterType": "STRING", "defaultValue": "/data/digits"},
        "max_epochs": {"parameterType": "NUMBER_INTEGER", "defaultValue": 350},
        "num_processes": {"parameterType": "NUMBER_INTEGER", "defaultValue": 1},
    }
    tasks = documents[0]["root"]["dag"]["tasks"]
    assert tasks["ImageExampleGen"]["inputs"]["parameters"]["path"] == {
        "componentInputParameter": "data_path"
    }


def test_nodes_get_the_defaults_and_their_own(documents):
    trainer = container(documents, "HorovodTrainer")
    assert trainer["image"] == "registry/gpu:1"
    assert trainer["resources"] == {
        "cpuLimit": 2.0,
        "memoryLimit": 16.0,
        "accelerator": {"type": "nvidia.com/gpu", "count": "1"},
    }
    assert trainer["env"] == [{"name": "LEVEL", "value": "debug"}]
    assert container(documents, "Evaluator")["image"] == IMAGE
    assert container(documents, "Evaluator")["resources"] == {"cpuLimit": 2.0}
    volumes = [{"constant": "data", "mountPath": "/data"}]
    volumes += [{"constant": "state", "mountPath": "/state"}]
    assert executor(documents, "Evaluator") == {"pvcMount": volumes}
    assert executor(documents, "HorovodTrainer") == {
        "pvcMount": volumes,
        "emptyDirMounts": [
            {
                "volumeName": "shm",
                "mountPath": "/dev/shm",
                "medium": "Memory",
                "sizeLimit": "2000M",
            }
        ],
        "nodeSelector": {"labels": {"pool": "gpu"}},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "secretAsEnv": [
            {
                "secretName": "bucket",
                "keyToEnv": [{"secretKey": "secretkey", "envVar": "AWS_SECRET_ACCESS_KEY"}],
            }
        ],
        "imagePullPolicy": "Always",
        "imagePullSecret": [{"secretName": "registry"}],
        "activeDeadlineSeconds": "3600",
        "podMetadata": {
            "labels": {"sidecar.istio.io/inject": "false"},
            "annotations": {"sidecar.istio.io/inject": "false"},
        },
    }
    assert executor(documents, "Pusher")["pvcMount"] == [
        {"constant": "state", "mountPath": "/state"},
        {"constant": "other", "mountPath": "/data"},
    ]
    assert executor(documents, "Pusher")["emptyDirMounts"][0]["sizeLimit"] == "500M"


def test_the_command_writes_the_same_bytes_each_time(tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(VALUES))
    for name in ("a.yaml", "b.yaml"):
        done = effnet("compile", "config.yaml", "--image", IMAGE, "-o", name, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"{name}: pipeline effnet")
    assert (tmp_path / "a.yaml").read_bytes() == (tmp_path / "b.yaml").read_bytes()


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["data.path=digits"], ["ImageExampleGen", "data.path", "/data, /state", "'digits'"]),
        (["data.path=/database/digits"], ["ImageExampleGen", "/database/digits"]),
        (["data.path=minio://bucket/digits"], ["ImageExampleGen", "data.path", "s3://"]),
        (["data.schema_file=s3://b/schema.pbtxt"], ["data.schema_file", "gs://"]),
        (["trainer.init_weights=weights.h5"], ["HorovodTrainer", "trainer.init_weights"]),
        (["serving.push_dir=''"], ["serving.push_dir must be set"]),
        (["serving.push_dir=/srv"], ["LatestBlessedModel", "serving.push_dir"]),
        (["kubeflow.state_dir=/elsewhere"], ["ImageExampleGen", "kubeflow.state_dir"]),
        (["pipeline.name=ends-"], ["pipeline.name", "'ends-'"]),
        (["data.path=s3://bucket/{{$.x}}"], ["data_path", "{{$"]),
    ],
)
def test_what_a_step_would_not_find_is_refused(tmp_path, overrides, words):
    config = load(tmp_path, *overrides)
    with pytest.raises(InputError) as refused:
        compiler.compile_config(config, IMAGE)
    assert [word for word in words if word not in str(refused.value)] == []


@pytest.mark.parametrize("image", ["", "two words", "x:{{tag}}"])
def test_an_impossible_image_is_refused(tmp_path, image):
    with pytest.raises(InputError, match="--image"):
        compiler.compile_config(load(tmp_path), image)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("kubeflow.pipeline_root=/artifacts", ["pipeline_root", "minio://"]),
        ("kubeflow.pipeline_root=hdfs://a/b", ["pipeline_root"]),
        ("kubeflow.nodes={Trainer: {cpu: 1}}", ["HorovodTrainer"]),
        ("kubeflow.nodes={Pusher: {image_pull_policy: always}}", ["image_pull_policy", "Always"]),
        ("kubeflow.nodes={Pusher: {cpus: 1}}", ["cpus"]),
        ("kubeflow.nodes={Pusher: {cpu: 0}}", ["cpu", "more than 0"]),
        ("kubeflow.nodes={Pusher: {volumes: [{claim: A, path: /a}]}}", ["Kubernetes name"]),
        ("kubeflow.nodes={Pusher: {volumes: [{claim: a, path: a}]}}", ["absolute path"]),
        ("kubeflow.nodes={Pusher: {volumes: [{claim: a, path: /minio/b}]}}", ["/minio"]),
        (
            "kubeflow.nodes={Pusher: {secrets: [{name: s, path: /data}]}}",
            ["nodes.Pusher", "/data twice"],
        ),
        ("kubeflow.nodes={Pusher: {secrets: [{name: s}]}}", ["env or path"]),
        ("kubeflow.nodes={Pusher: {env: {1A: x}}}", ["1A"]),
        ("kubeflow.nodes={Pusher: {tolerations: [{operator: Exists, value: x}]}}", ["no value"]),
        ("kubeflow.nodes={Pusher: {labels: {a: 'b c'}}}", ["b c"]),
        ("kubeflow.nodes={Pusher: {gpu_type: gpu}}", ["nvidia.com/gpu"]),
    ],
)
def test_a_config_that_kubernetes_would_refuse_is_refused(tmp_path, override, words):
    with pytest.raises(InputError) as refused:
        load(tmp_path, override)
    assert [word for word in words if word not in str(refused.value)] == []


def _task(documents, node="Evaluator"):
    return documents[0]["root"]["dag"]["tasks"][node]


def _rename(documents, old, new):
    tasks = documents[0]["root"]["dag"]["tasks"]
    tasks[new] = tasks.pop(old)


CHANGES = {
    "schema": (lambda d: d[0].update(schemaVersion="2.0.0"), ["2.1.0", "2.0.0"]),
    "underscore": (lambda d: _rename(d, "Pusher", "my_pusher"), ["my_pusher", "with_id"]),
    "long id": (lambda d: _rename(d, "Pusher", "P" * 122), ["121", "122"]),
    "resolver": (
        lambda d: d[0]["deploymentSpec"]["executors"].update(Pusher_executor={"resolver": {}}),
        ["Pusher", "Resolver", "LatestBlessedModel"],
    ),
    "importer": (
        lambda d: d[0]["deploymentSpec"]["executors"].update(
            Pusher_executor={"importer": {"artifactUri": {"constant": "file:///x"}}}
        ),
        ["Pusher", "Importer", "file:///x"],
    ),
    "upstream value": (
        lambda d: _task(d)["inputs"]["parameters"].update(
            rules={
                "taskOutputParameter": {"producerTask": "Pusher_task", "outputParameterKey": "x"}
            }
        ),
        ["Evaluator", "rules", "as an artifact"],
    ),
    "no default": (
        lambda d: d[0]["root"]["inputDefinitions"]["parameters"]["data_path"].pop("defaultValue"),
        ["data_path", "default"],
    ),
    "undeclared parameter": (
        lambda d: _task(d)["inputs"]["parameters"].update(
            rules={"componentInputParameter": "nobody"}
        ),
        ["Evaluator", "nobody"],
    ),
    "unknown field": (lambda d: d[0].update(extra=1), ["extra"]),
    "unknown field of the deployment": (
        lambda d: container(d, "Pusher").update(memory=1),
        ["deploymentSpec", "memory"],
    ),
    "circle": (
        lambda d: _task(d, "ImageExampleGen").update(dependentTasks=["Pusher"]),
        ["circle", "ImageExampleGen", "Pusher"],
    ),
    "missing parameter": (
        lambda d: _task(d)["inputs"]["parameters"].pop("rules"),
        ["Evaluator", "rules"],
    ),
    "missing input": (
        lambda d: _task(d)["inputs"]["artifacts"].pop("model"),
        ["Evaluator", "model"],
    ),
    "another type": (
        lambda d: _task(d, "ServingValidator")["inputs"]["parameters"].update(
            parity_tolerance={"runtimeValue": {"constant": "0.1"}}
        ),
        ["ServingValidator", "parity_tolerance", "NUMBER_DOUBLE"],
    ),
    "large number": (
        lambda d: _task(d, "ImageExampleGen")["inputs"]["parameters"].update(
            seed={"runtimeValue": {"constant": 2**53}}
        ),
        ["ImageExampleGen", "seed", "2^53"],
    ),
    "runtime parameter in a task": (
        lambda d: _task(d)["inputs"]["parameters"].update(
            rules={"runtimeValue": {"runtimeParameter": "x"}}
        ),
        ["Evaluator", "rules", "runtimeParameter"],
    ),
    "unknown output": (
        lambda d: _task(d)["inputs"]["artifacts"]["model"]["taskOutputArtifact"].update(
            outputArtifactKey="weights"
        ),
        ["Evaluator", "model", "weights", "HorovodTrainer"],
    ),
    "unknown producer": (
        lambda d: _task(d)["inputs"]["artifacts"]["model"]["taskOutputArtifact"].update(
            producerTask="Trainer"
        ),
        ["Evaluator", "model", "Trainer"],
    ),
    "driver": (
        lambda d: container(d, "ImageExampleGen").update(
            lifecycle={"preCacheCheck": {"command": ["python"]}}
        ),
        ["ImageExampleGen", "SPAN"],
    ),
    "same container": (
        lambda d: container(d, "Pusher").update(container(d, "Evaluator")),
        ["Pusher", "Evaluator", "arguments"],
    ),
    "placeholder": (
        lambda d: container(d, "Pusher")["args"].append("{{$.inputs.x}}"),
        ["Pusher", "{{$"],
    ),
    "platform: pull policy": (
        lambda d: executor(d, "Pusher").update(imagePullPolicy="Sometimes"),
        ["imagePullPolicy"],
    ),
    "platform: unknown field": (
        lambda d: executor(d, "Pusher").update(pvcMounts=[]),
        ["pvcMounts"],
    ),
    "platform: misspelled top": (
        lambda d: d[1].update(platform=d[1].pop("platforms")),
        ["platforms"],
    ),
    "platform: unknown label": (
        lambda d: d[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"].update(Push={}),
        ["'Push'", "Pusher_executor"],
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_the_backend_trips_over_is_refused(documents, change):
    changed = copy.deepcopy(documents)
    checks.check(*changed)
    act, words = CHANGES[change]
    act(changed)
    with pytest.raises(InputError) as refused:
        checks.check(*changed)
    assert [word for word in words if word not in str(refused.value)] == []


def _small(folder: Path, *extra) -> tfx_pipeline.Pipeline:
    writer = small_dag.Writer("text")
    return tfx_pipeline.Pipeline(
        pipeline_name="small", pipeline_root=str(folder), components=[writer, *extra]
    )


def _empty_platform() -> dict:
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {}}}}}


def test_nodes_of_tfx_that_do_not_run_there_are_refused(tmp_path):
    latest = resolver.Resolver(
        strategy_class=latest_artifact_strategy.LatestArtifactStrategy,
        model=Channel(type=standard_artifacts.Model),
    ).with_id("LatestModel")
    pipeline = _small(tmp_path, latest)
    images = dict.fromkeys(("Writer", "LatestModel"), IMAGE)
    with pytest.raises(InputError, match=r"LatestModel.*Resolver"):
        compiler.to_yaml(pipeline, images=images, platform=_empty_platform())


def test_an_id_with_an_underscore_is_refused(tmp_path):
    pipeline = _small(tmp_path)
    pipeline.components[0].with_id("my_writer")
    with pytest.raises(InputError, match=r"my_writer.*with_id"):
        compiler.to_yaml(pipeline, images={"my_writer": IMAGE}, platform=_empty_platform())


def test_a_pusher_that_deploys_gets_the_images_of_the_training(tmp_path):
    config = load(
        tmp_path,
        "serving.kserve.enabled=true",
        "serving.kserve.storage_uri=pvc://state/serving/digits",
    )
    pipeline, _ = yaml.safe_load_all(compiler.compile_config(config, IMAGE))
    inputs = pipeline["root"]["dag"]["tasks"]["Pusher"]["inputs"]
    options = json.loads(inputs["parameters"]["kserve"]["runtimeValue"]["constant"])
    assert options["name"] == "digits"
    assert options["storage_uri"] == "pvc://state/serving/digits"
    source = inputs["artifacts"]["model_run"]["taskOutputArtifact"]
    assert source["producerTask"] == "HorovodTrainer"


def test_the_settings_are_in_the_first_step_alone(documents):
    args = container(documents, "ImageExampleGen")["args"]
    settings = json.loads(args[args.index("--settings") + 1])
    assert settings["data"]["path"] == "/data/digits"
    others = [n for n in node_names.NODE_NAMES if n != "ImageExampleGen"]
    assert all("--settings" not in container(documents, node)["args"] for node in others)


def test_the_platform_document_has_only_fields_of_the_published_one():
    fields = platform_document.ExecutorConfig.model_fields.values()
    published = "pvcMount emptyDirMounts nodeSelector tolerations secretAsEnv secretAsVolume"
    published += " imagePullPolicy imagePullSecret activeDeadlineSeconds podMetadata"
    assert {field.alias for field in fields} == set(published.split())
