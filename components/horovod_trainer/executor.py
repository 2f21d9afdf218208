"""Runs a training as a process of its own and files what it leaves."""

import contextlib
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow_transform as tft
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components import progress
from components.horovod_trainer import driver, unfinished, warm_up
from components.horovod_trainer.said import Said
from components.stored_names import CODE_HISTORY, CONTENT_FINGERPRINT, JOB_CONFIG
from preprocessing import features
from preprocessing.errors import InputError
from preprocessing.files import disk_full
from preprocessing.files.plain_path import plain_path
from preprocessing.settings import read_settings
from trainer_module.config import TrainConfig
from trainer_module.data import record_index
from trainer_module.finish import EXPORT_FOLDER
from trainer_module.job import display, processes, rank_env, train_log
from trainer_module.job.python_command import run_module
from trainer_module.run_files import SUMMARY_FILE

# Settings that a run may be started with, other than those of its config.
RUN_SETTINGS = ("max_epochs", "num_processes")
UNFINISHED_KEY = "unfinished_dir"
POLL_SECS = 1.0
_DIGEST_CHARS = 16


class Executor(base_executor.BaseExecutor):
    """See `components.horovod_trainer.component.HorovodTrainer`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Trains; goes on where an earlier try with the same inputs was cut off."""
        dataset = artifact_utils.get_single_instance(input_dict["examples"])
        examples = dataset.uri
        graph = artifact_utils.get_single_uri(input_dict["transform_graph"])
        model_run = artifact_utils.get_single_uri(output_dict["model_run"])
        check_class_names(examples, graph)
        given = {name: exec_properties.get(name) for name in RUN_SETTINGS}
        config = read_settings(
            TrainConfig,
            {
                **json.loads(exec_properties["train_config"]),
                **json.loads(exec_properties[JOB_CONFIG]),
                **{name: value for name, value in given.items() if value is not None},
                "data_dir": examples,
            },
            "settings of the training",
        )
        content = dataset.get_string_custom_property(CONTENT_FINGERPRINT) or dataset.uri
        model_dir = unfinished.find_folder(
            Path(
                exec_properties.get(UNFINISHED_KEY)
                or Path(model_run).parent.parent / unfinished.FOLDER
            ),
            [content, exec_properties.get(driver.DIGEST_KEY) or ""],
            config,
        )
        config = config.model_copy(update={"model_dir": str(model_dir)})
        launch(config)
        model = artifact_utils.get_single_instance(output_dict["model"])
        serving = Path(path_utils.serving_model_dir(model.uri))
        with disk_full.naming(serving):
            shutil.copytree(model_dir / EXPORT_FOLDER, serving)
            warm_up.write(serving)
        with disk_full.naming(model_run):
            shutil.copytree(
                model_dir, model_run, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".lock")
            )
        shutil.rmtree(model_dir)
        summary = json.loads((Path(model_run) / SUMMARY_FILE).read_text())
        model.set_string_custom_property("weights_sha256", summary["weights_sha256"])
        model.set_string_custom_property(CODE_HISTORY, _code_history(summary))


def train(config: TrainConfig) -> None:
    """Runs a training to its end and reports its progress.

    Raises:
      InputError: the training refused its settings or data.
      RuntimeError: the training failed.
    """
    own = {processes.PARENT_VARIABLE: str(os.getpid())}
    environment = {**rank_env.without_launcher_variables(os.environ), **own}
    progress.report("starting the training")
    log = train_log.Follower(config.model_dir)
    process = subprocess.Popen(
        run_module("trainer_module", "-"),
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    said = Said()
    reader = threading.Thread(target=said.read, args=(process.stdout,), daemon=True)
    reader.start()
    with contextlib.suppress(BrokenPipeError), process.stdin as stdin:  # its end says why
        stdin.write(config.model_dump_json())
    try:
        while process.poll() is None:
            try:
                process.wait(POLL_SECS)
            except subprocess.TimeoutExpired:
                report_progress(log)
    finally:
        processes.terminate(process.pid)  # nothing to do when it has ended by itself
        reader.join()
    if process.returncode == processes.BAD_INPUT:
        raise InputError(said.error)
    if process.returncode != processes.DONE:
        raise RuntimeError(f"{said.error} (exit status {process.returncode})")


# What runs a training, by `launcher` of its settings. An edge that can do more adds to it.
LAUNCHERS: dict[str, Callable[[TrainConfig], None]] = {"local": train}


def launch(config: TrainConfig) -> None:
    """Runs a training to its end where its settings say.

    Raises:
      InputError: there is no such launcher here, or the training refused its settings or data.
      RuntimeError: the training failed.
    """
    if config.launcher not in LAUNCHERS:
        raise InputError(
            f"trainer.launcher must be one of {', '.join(LAUNCHERS)} here: an MPIJob needs a "
            "cluster, and a pipeline from `effnet compile`; or set --set trainer.launcher=local. "
            f"Received: {config.launcher!r}"
        )
    LAUNCHERS[config.launcher](config)


def check_class_names(examples: str, transform_graph: str) -> None:
    """Holds the records' class names against the transform graph's vocabulary.

    Raises:
      ValueError: they differ, so records and graph are not of one preprocessing.
    """
    with plain_path(transform_graph) as plain:
        vocabulary = tft.TFTransformOutput(plain).vocabulary_by_name(features.CLASS_VOCABULARY)
    in_graph = [name.decode() for name in vocabulary]
    in_records = record_index.class_names(examples, num_classes=0)
    if in_graph != in_records:
        raise ValueError(
            "records and transform graph must come from the same preprocessing. Received: "
            f"{len(in_records)} class names in {examples}, {len(in_graph)} in {transform_graph}"
        )


def report_progress(log: train_log.Follower) -> None:
    """Reports the newest interval that the log has got since the last time, if there is one."""
    intervals = [entry for entry in log.read_new() if display.is_interval(entry)]
    if intervals:
        progress.report(display.describe(intervals[-1]), display.fraction(intervals[-1]))


def _code_history(summary: dict[str, Any]) -> str:
    """Which steps ran under which code, short enough for an index of strings."""
    return ", ".join(
        f"{span['first_step']}-{span['last_step']} {span['digest'][:_DIGEST_CHARS]}"
        for span in summary["code"]
    )
