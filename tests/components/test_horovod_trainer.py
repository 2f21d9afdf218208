"""The trainer as a component: what it files, how it fails, how it goes on."""

import json
import logging
import shutil
from pathlib import Path

import apache_beam as beam
import fresh_process
import numpy as np
import psutil
import pytest
from tfx.types import standard_artifacts
from trainings import wait_until

from components import progress
from components.horovod_trainer import executor
from components.horovod_trainer import unfinished as unfinished_trainings
from preprocessing import features, transform
from preprocessing.errors import InputError
from trainer_module import checkpoint_files, effects
from trainer_module.config import TrainConfig
from trainer_module.effects import Effect
from trainer_module.job import train_log
from trainer_module.made_with import MadeWith, settings_of


def run_node(uris: dict[str, str], properties: dict[str, str]) -> None:
    """What the launcher does in the node's process."""

    def artifact(name, cls):
        result = cls()
        result.uri = uris[name]
        return [result]

    examples = artifact("examples", standard_artifacts.Examples)
    examples[0].set_string_custom_property("content_fingerprint", "the digits")
    graph = artifact("graph", standard_artifacts.TransformGraph)
    executor.Executor().Do(
        {"examples": examples, "transform_graph": graph},
        {
            "model": artifact("model", standard_artifacts.Model),
            "model_run": artifact("model_run", standard_artifacts.ModelRun),
        },
        properties,
    )


@pytest.fixture(scope="module")
def graph(tmp_path_factory) -> Path:
    """The transform graph of the digits."""
    folder = tmp_path_factory.mktemp("graph")
    index = folder / "index.jsonl"
    index.write_text("".join(json.dumps({"class": str(n)}) + "\n" for n in range(10)))
    transform.write_transform_graph(
        [str(index)],
        str(folder / "graph"),
        make_pipeline=lambda: beam.Pipeline(
            argv=["--direct_running_mode=in_memory", "--direct_num_workers=1"]
        ),
        temp_dir=str(folder / "temp"),
        schema=None,
    )
    return folder / "graph"


@pytest.fixture
def node(digits_dir, graph, make_tiny, tmp_path):
    """Arguments of the node's process: (URIs by name, exec properties)."""

    def make(execution: int, **changes):
        config = make_tiny(Path("unused")).model_copy(
            update={"data_dir": "", "model_dir": "", "save_checkpoint_freq": 1, **changes}
        )
        root = tmp_path / "HorovodTrainer"
        uris = {
            "examples": str(digits_dir),
            "graph": str(graph),
            "model": str(root / "model" / str(execution)),
            "model_run": str(root / "model_run" / str(execution)),
        }
        for name in ("model", "model_run"):
            Path(uris[name]).mkdir(parents=True)
        job = set(effects.names(TrainConfig, Effect.JOB))
        return uris, {
            "train_config": config.model_dump_json(exclude=job),
            "job_config": config.model_dump_json(include=job),
            "code_digest": str(execution),
        }

    return make


def summary(uris: dict[str, str]) -> dict:
    return json.loads(Path(uris["model_run"], "train_summary.json").read_text())


def unfinished(uris: dict[str, str]) -> list[Path]:
    return list(Path(uris["model_run"]).parents[1].glob("unfinished/*"))


def test_killed_node_leaves_no_process_and_is_continued(node, tmp_path):
    whole, properties = node(1)
    assert fresh_process.start(run_node, whole, properties).wait() == 0
    assert not unfinished(whole)
    saved = Path(whole["model"], "Format-Serving", "saved_model.pb")
    assert saved.is_file()
    assert list(Path(whole["model_run"], "checkpoints").glob("step-*.npz"))

    cut_off, properties = node(2)
    process = fresh_process.start(run_node, cut_off, properties)
    wait_until(
        lambda: any(list(path.glob("checkpoints/step-*")) for path in unfinished(cut_off)), process
    )
    training = psutil.Process(process.pid).children(recursive=True)
    assert training
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(training, timeout=60)
    assert not alive, "the training outlives the node"

    # The same records, made again elsewhere; and settings that change no weights.
    again, properties = node(3, stall_timeout_secs=500.0, max_checkpoints=2)
    again["examples"] = shutil.copytree(again["examples"], tmp_path / "copy").as_posix()
    assert fresh_process.start(run_node, again, properties).wait() == 0
    assert summary(again)["resumed_from_step"] > 0
    assert summary(again)["weights_sha256"] == summary(whole)["weights_sha256"]
    assert not unfinished(again)


def test_refused_settings_are_the_persons_to_mend(tmp_path, make_tiny):
    config = make_tiny(tmp_path / "model").model_copy(update={"data_dir": str(tmp_path)})
    with pytest.raises(InputError, match=r"labels\.txt"):
        executor.train(config)


def test_a_failed_training_is_told(digits_dir, tmp_path, make_tiny):
    data = tmp_path / "data"
    shutil.copytree(digits_dir, data)
    shard = next(data.glob("train-*"))
    damaged = bytearray(shard.read_bytes())
    damaged[-10] ^= 1  # inside the last record
    shard.write_bytes(damaged)
    config = make_tiny(tmp_path / "model").model_copy(update={"data_dir": str(data)})
    with pytest.raises(RuntimeError, match=r"damaged.*exit status 3"):
        executor.train(config)


def test_records_and_graph_of_two_preprocessings_are_refused(digits_dir, graph, tmp_path):
    executor.check_class_names(str(digits_dir), str(graph))
    (tmp_path / features.CLASS_NAMES_FILE).write_text("ant\nbee\n")
    with pytest.raises(ValueError, match="2 class names"):
        executor.check_class_names(str(tmp_path), str(graph))


def test_progress_is_told_once_and_only_of_whole_lines(tmp_path, caplog):
    line = {
        "step": 5,
        "total_steps": 20,
        "epoch": 1.0,
        "stage": 0,
        "img_size": 16,
        "loss": 0.5,
        "top_1_train": 0.75,
        "lr": 0.01,
        "images_per_sec": 10.0,
        "eta_secs": None,
    }
    log = tmp_path / "train_log.jsonl"
    log.write_text(json.dumps({**line, "step": 1}) + "\n")
    follower = train_log.Follower(tmp_path)
    caplog.set_level(logging.INFO, logger=progress.LOGGER_NAME)
    executor.report_progress(follower)
    assert caplog.records == []  # what an earlier try wrote is no news
    with log.open("a") as file:
        file.write(json.dumps(line) + "\n" + json.dumps({"step": 5, "eval_top_1": 0.5}) + "\n")
        file.write('{"step": 6, "total_st')
    executor.report_progress(follower)
    executor.report_progress(follower)
    [record] = caplog.records
    assert record.fraction == 0.25
    assert "top-1 0.750" in record.getMessage()


def test_a_training_is_looked_for_among_those_that_were_cut_off(make_tiny, tmp_path):
    config = make_tiny(Path("unused"))

    def begin(inputs: list[str], images: int, **changes) -> Path:
        settings = config.model_copy(update=changes)
        folder = unfinished_trainings.find_folder(tmp_path, inputs, settings)
        path = checkpoint_files.path_of(folder, images // 16)
        path.parent.mkdir(parents=True, exist_ok=True)
        made = MadeWith(settings_of(settings), 1, 150, "", "", "", "", images)
        np.savez(path, **{checkpoint_files.MADE_WITH: np.array(made.to_json())})
        return folder

    def find(inputs: list[str], **changes) -> Path:
        changed = config.model_copy(update=changes)
        return unfinished_trainings.find_folder(tmp_path, inputs, changed)

    near = begin(["a"], 160)
    far = begin(["a"], 320, optimizer="sgd")
    assert begin(["a"], 480, max_epochs=9) == near  # longer: the same one goes on
    assert find(["a"], max_restarts=9, memory_limit_mb=10**6, log_interval_secs=1.0) != near
    assert find(["a"], max_epochs=9, max_restarts=9, train_batch_size=32) == near
    assert find(["a"], optimizer="sgd", export_tflite=True) == far
    new = [find(["b"]), find(["a"], seed=1), find(["a"], max_epochs=8), find(["a"])]
    assert not any(checkpoint_files.find(folder) for folder in new)
    assert len({near, far, *new}) == 6
