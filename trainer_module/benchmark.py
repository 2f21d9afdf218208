"""How fast this machine trains and predicts, with the settings and records of a real training."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from preprocessing.files.new_file import write_text
from trainer_module.evaluate import latency_ms
from trainer_module.training import Training

BENCHMARK_FILE = "benchmark.json"
# Steps before the clock starts: they trace, compile, and fill the input pipeline.
WARM_UP_STEPS = 3


def training_benchmark(training: Training) -> dict[str, Any]:
    """Trains a few steps of each stage and throws the result away.

    Args:
      training: a fresh one; its weights change, nothing of it is saved.

    Returns:
      by stage: image size, images a second over all ranks, milliseconds a step.
    """
    config, steps = training.config, training.config.benchmark_steps
    stages = []
    for stage, first, _ in training.schedule.stages():
        last = first + WARM_UP_STEPS + steps
        dataset = training.train_dataset([(stage, first, last)], first)
        ends = []
        for images, targets in dataset:
            rate = tf.constant(training.schedule.learning_rate(first))
            training.step(images, targets, rate, tf.constant(0.0)).numpy()
            ends.append(time.perf_counter())
        step_secs = np.diff(ends[WARM_UP_STEPS - 1 :])
        result = {
            "stage": stage.index,
            "img_size": stage.img_size,
            "images_per_sec": round(training.schedule.global_batch / step_secs.mean(), 2),
            "step_ms": latency_ms(step_secs),
        }
        training.log.message(
            f"stage {stage.index + 1}, {stage.img_size} px: {result['images_per_sec']} images/s, "
            f"{result['step_ms']['avg']} ms a step"
        )
        stages.append(result)
    return {"mode": config.mode, "global_batch": training.schedule.global_batch, "stages": stages}


def inference_benchmark(training: Training) -> dict[str, Any]:
    """Predicts batches of the evaluation split, again and again, on this rank.

    Args:
      training: its weights are used as they are.

    Returns:
      batch size, images a second, and the milliseconds of a batch.
    """
    config = training.config
    dataset = training.eval_dataset.repeat().take(WARM_UP_STEPS + config.benchmark_steps)
    weights = [variable.read_value() for variable in training.state.model_variables()]
    secs, images = training.evaluation.time_batches(dataset, weights, WARM_UP_STEPS)
    result = {
        "mode": config.mode,
        "batch": config.eval_batch_size,
        "img_size": config.eval_img_size,
        "images_per_sec": round(images / secs.sum(), 2),
        "batch_ms": latency_ms(secs),
    }
    training.log.message(
        f"batch {result['batch']}, {result['img_size']} px: {result['images_per_sec']} images/s, "
        f"{result['batch_ms']} ms a batch"
    )
    return result


def write(training: Training, result: dict[str, Any]) -> None:
    """Writes `benchmark.json` into the training's folder, by rank 0."""
    if training.ranks.rank == 0:
        path = Path(training.config.model_dir) / BENCHMARK_FILE
        write_text(path, json.dumps(result, indent=2) + "\n")
