"""The whole DAG on an emulated cluster: compiled from a config, step by step in containers."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from digits_pictures import write_pictures
from effnet import effnet
from kubeflow_backend import Backend

from kubeflow import compile as compiler
from lineage.reading.from_files import FileRuns
from pipeline import config_file
from pipeline.node_names import NODE_NAMES

# The first test waits for a whole run.
pytestmark = pytest.mark.timeout(900)

VALUES = {
    "preprocessing": {"max_bad_fraction": 0.05},
    "trainer": {
        "width_coefficient": 0.1,
        "depth_coefficient": 0.1,
        "n_stages": 1,
        "base_img_size": 32,
        "img_size": 32,
        "eval_img_size": 32,
        "max_epochs": 1,
        "lr_warmup_epochs": 0,
        "train_batch_size": 8,
        "optimizer": "adamw",
        "moving_average_decay": 0.0,
    },
    "data": {"path": "/data/pictures"},
    "evaluation": {"min_top_1": 0.0},
    "serving": {"push_dir": "/state/serving", "model_name": "digits"},
    "pipeline": {"name": "digits"},
    "beam": {"direct_running_mode": "in_memory"},
    "kubeflow": {
        "pipeline_root": "minio://mlpipeline/root",
        "state_dir": "/state/runs",
        "defaults": {
            "volumes": [{"claim": "data", "path": "/data"}, {"claim": "state", "path": "/state"}]
        },
    },
}
ALL_SUCCEEDED = dict.fromkeys(NODE_NAMES, "succeeded")


class Cluster:
    """An emulated cluster with two volumes, which outlive it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.volumes = {"data": folder / "data", "state": folder / "state"}
        for volume in self.volumes.values():
            volume.mkdir(parents=True)
        write_pictures(self.volumes["data"] / "pictures", per_class=20)
        self.count = 0

    def run(self, *overrides: str, backend=None, **submission):
        path = self.folder / "config.yaml"
        path.write_text(yaml.safe_dump(VALUES))
        text = compiler.compile_config(config_file.load(path, overrides), "image:1")
        self.count += 1
        cluster = Backend(self.folder / f"cluster-{self.count}", self.volumes, **(backend or {}))
        return cluster, cluster.run(text, pipeline_root="minio://mlpipeline/root", **submission)

    def record(self, run_id: str):
        return FileRuns(self.volumes["state"] / "runs" / "digits").run(run_id)

    def versions(self) -> list[str]:
        folder = self.volumes["state"] / "serving" / "digits"
        return sorted(path.name for path in folder.glob("[0-9]*"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Cluster:
    return Cluster(tmp_path_factory.mktemp("kubeflow"))


@pytest.fixture(scope="module")
def first(cluster):
    backend, run = cluster.run()
    assert run.states == ALL_SUCCEEDED, run.logs
    return backend, run, cluster.versions()


def test_a_run_trains_blesses_and_pushes_a_model(cluster, first):
    backend, run, versions = first
    assert len(versions) == 1
    served = cluster.volumes["state"] / "serving" / "digits" / versions[0]
    assert (served / "saved_model.pb").is_file()
    unfinished = cluster.volumes["state"] / "runs" / "digits" / "unfinished"
    assert list(unfinished.iterdir()) == []  # it was there that the training ran
    pushed = backend.remote_folder(run.outputs["Pusher"]["pushed_model"]["uri"])
    assert (pushed / "saved_model.pb").read_bytes() == (served / "saved_model.pb").read_bytes()


def test_the_record_of_a_run_is_complete_without_the_clusters_metadata(cluster, first):
    _, run, versions = first
    record = cluster.record(run.id)
    assert (record.run.state, record.run.pipeline) == ("pushed", "digits")
    assert {node.id for node in record.nodes} == set(NODE_NAMES)
    assert all(node.state == "ran" for node in record.nodes)
    known = {artifact.id: artifact for artifact in record.artifacts}
    for node in record.nodes:
        for number in (n for ids in (*node.inputs.values(), *node.outputs.values()) for n in ids):
            assert known[number].uri.startswith(f"minio://mlpipeline/root/digits/{run.id}/")
            assert len(known[number].digest) == 64
    assert record.source.path == "/data/pictures"
    assert record.source.images == 60
    assert record.source.fingerprint
    assert record.dataset.images["used"] == 60
    assert record.model.weights_sha256
    assert 1 <= record.model.training["epochs"] < 2
    assert record.baseline is None
    assert record.evaluation.verdict["blessed"] is True
    assert record.evaluation.serving_check["blessed"] is True
    assert [push.version for push in record.pushes] == versions
    assert record.settings["data"]["path"] == "/data/pictures"
    assert record.code.files
    assert record.machine.cores > 0
    records = cluster.volumes["state"] / "runs" / "digits"
    done = effnet("lineage", run.id, "--records", records, cwd=cluster.folder)
    assert done.returncode == 0, done.stderr
    assert f"version {versions[0]}" in done.stdout
    assert "/data/pictures" in done.stdout


def test_another_run_finds_what_the_first_one_left(cluster, first):
    """More images, more epochs, a backend without ML Metadata, and a gate that says no."""
    _, before, versions = first
    write_pictures(cluster.volumes["data"] / "pictures", per_class=24)
    _, run = cluster.run(
        "evaluation.min_top_1=1.0",
        backend={"without_mlmd": True, "output_file_in_tmp": True},
        arguments={"max_epochs": 2},
    )
    assert run.states == ALL_SUCCEEDED, run.logs
    record, old = cluster.record(run.id), cluster.record(before.id)
    assert record.run.state == "not_blessed"
    assert record.evaluation.verdict["blessed"] is False
    assert record.pushes == []
    assert cluster.versions() == versions
    assert record.baseline.version == versions[0]
    assert record.baseline.digest == old.model.digest
    assert 2 <= record.model.training["epochs"] < 3
    assert record.source.fingerprint != old.source.fingerprint
    [validator] = [node for node in record.nodes if node.id == "ExampleValidator"]
    kept = Path(validator.properties["previous_statistics"])
    assert kept.parent == Path("/state/runs/digits/statistics")
    there = cluster.volumes["state"] / kept.relative_to("/state")
    assert list(there.glob("Split-train/*"))


def test_a_step_that_fails_says_why_and_is_on_record(cluster):
    _, run = cluster.run(arguments={"data_path": "/data/nowhere"})
    assert run.states.pop("ImageExampleGen") == "failed"
    assert set(run.states.values()) == {"omitted"}
    [line] = [
        line for line in run.logs["ImageExampleGen"].splitlines() if "ImageExampleGen:" in line
    ]
    assert "/data/nowhere" in line
    record = cluster.record(run.id)
    assert record.run.state == "failed"
    assert "ImageExampleGen failed" in record.run.said
    assert "/data/nowhere" in record.run.said


def test_files_that_were_deleted_meanwhile_end_the_step_that_needs_them(cluster):
    def delete(backend: Backend) -> None:
        [statistics] = backend.remote.glob("minio/mlpipeline/root/digits/*/StatisticsGen")
        shutil.rmtree(statistics)

    _, run = cluster.run(before={"SchemaGen": delete})
    assert run.states["StatisticsGen"] == "succeeded"
    assert run.states["SchemaGen"] == "failed"
    assert "input statistics: its files are gone from the bucket" in run.logs["SchemaGen"]
    assert run.states["ImagePreprocessor"] == run.states["Pusher"] == "omitted"
    assert json.loads(cluster.record(run.id).to_json())["run"]["state"] == "failed"
