"""`effnet compile` with `trainer.launcher: mpijob`, and what is refused of it."""

import json
from pathlib import Path

import pytest
import yaml

from kubeflow import compile as compiler
from kubeflow.mpijob_options import JobOptions
from pipeline import config_file, preflight
from preprocessing.errors import InputError
from trainer_module import __main__ as trainer

VALUES = {
    "data": {"path": "/data/digits"},
    "evaluation": {"min_top_1": 0.5},
    "serving": {"push_dir": "/state/serving"},
    "trainer": {"launcher": "mpijob", "num_processes": 8},
    "kubeflow": {
        "state_dir": "/state",
        "defaults": {
            "volumes": [{"claim": "data", "path": "/data"}, {"claim": "state", "path": "/state"}]
        },
        "nodes": {"HorovodTrainer": {"gpus": 4, "cpu": 16, "memory_gb": 64, "env": {"A": "$(B)"}}},
        "mpijob": {"processes_per_worker": 4, "cpu": 2, "memory_gb": 3, "queue": "team"},
    },
}


def load(folder: Path, *overrides: str):
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(VALUES))
    return config_file.load(path, overrides)


def test_the_step_watches_and_the_workers_get_what_the_node_asks_for(tmp_path):
    text = compiler.compile_config(load(tmp_path), "registry/gpu:1")
    pipeline, platform = yaml.safe_load_all(text)
    containers = {
        label.removesuffix("_executor"): executor["container"]
        for label, executor in pipeline["deploymentSpec"]["executors"].items()
    }
    step = containers["HorovodTrainer"]
    assert step["resources"] == {"cpuLimit": 2.0, "memoryLimit": 3.0}
    options = JobOptions.model_validate_json(step["args"][step["args"].index("--mpijob") + 1])
    assert options.image == "registry/gpu:1"
    assert (options.worker.gpus, options.worker.memory_gb, options.job.queue) == (4, 64, "team")
    assert [volume.path for volume in options.worker.volumes] == ["/data", "/state"]
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert "emptyDirMounts" not in executors["HorovodTrainer_executor"]
    assert len(executors["HorovodTrainer_executor"]["pvcMount"]) == 2
    assert all("--mpijob" not in containers[node]["args"] for node in ("Evaluator", "Pusher"))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["kubeflow.state_dir=''"], r"kubeflow\.state_dir must be set.*ReadWriteMany"),
        (["trainer.num_processes=6"], "multiple of kubeflow.mpijob.processes_per_worker .4."),
        (["trainer.num_processes=1"], "2 or more"),
        (["kubeflow.mpijob.processes_per_worker=2"], "the GPUs of a worker"),
        (["trainer.hostfile=/state/hosts"], "must not be set with trainer.launcher mpijob"),
        (["kubeflow.mpijob.ssh_port=22"], "ssh_port"),
        (["kubeflow.mpijob.queue=A_b"], "queue"),
        (["trainer.launcher=mpi"], "launcher"),
    ],
)
def test_what_could_not_run_is_refused(tmp_path, overrides, words):
    with pytest.raises(InputError, match=words):
        compiler.compile_config(load(tmp_path, *overrides), "image")


def test_without_it_nothing_is_different(tmp_path):
    texts = {
        compiler.compile_config(load(tmp_path, "trainer.launcher=local", *overrides), "image")
        for overrides in ([], ["kubeflow.mpijob.max_restarts=3"])
    }
    assert len(texts) == 1
    assert "--mpijob" not in texts.pop()


def test_a_machine_without_a_cluster_says_so_before_it_begins(tmp_path):
    with pytest.raises(InputError, match=r"trainer\.launcher.*effnet compile"):
        preflight.check_launcher(load(tmp_path).trainer)
    config = load(tmp_path).trainer.model_copy(update={"data_dir": "/d", "model_dir": "/m"})
    with pytest.raises(InputError, match="--launcher must be local"):
        trainer.run(config)


def test_settings_of_the_job_do_not_change_the_training(tmp_path):
    """The exec property that is the training's key knows nothing of where it runs."""
    keys = set()
    for launcher in ("local", "mpijob"):
        text = compiler.compile_config(load(tmp_path, f"trainer.launcher={launcher}"), "image")
        pipeline, _ = yaml.safe_load_all(text)
        inputs = pipeline["root"]["dag"]["tasks"]["HorovodTrainer"]["inputs"]["parameters"]
        keys.add(json.dumps(inputs["train_config"], sort_keys=True))
    assert len(keys) == 1
