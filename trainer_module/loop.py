"""The whole training, top to bottom: data, state, stages, evaluation, export."""

from pathlib import Path

import tensorflow as tf

from trainer_module import benchmark, devices, distributed, finish, predictions
from trainer_module.config import TrainConfig
from trainer_module.evaluate import Result
from trainer_module.job.heartbeat import COMPILING, EVALUATING, FINISHING, TRAINING, Heartbeat
from trainer_module.job.stop_signal import StopRequest, TrainingInterrupted
from trainer_module.network import weights_io
from trainer_module.stages import Stage
from trainer_module.training import Training

# An evaluation by name of the weights, `raw` and `ema`.
Results = dict[str, Result]


def run(config: TrainConfig, heartbeat: Heartbeat) -> finish.Summary:
    """Trains, evaluates and exports, as `config.mode` says.

    Args:
      config: the settings.
      heartbeat: shows whoever watches what this rank does.

    Returns:
      what `train_summary.json` holds; nothing in the modes that write none.

    Raises:
      InputError: the data or a checkpoint does not fit the settings.
      DataError: a record is damaged or cannot be decoded.
      TrainingError: the loss diverged, or ranks ended with different weights.
      TrainingInterrupted: SIGTERM came.
      DiskFullError: there is no space for a file.
    """
    ranks = distributed.join(config.num_processes, config.hvd_fp16_compression)
    devices.set_up(config, ranks)
    training = Training(config, ranks, heartbeat)
    try:
        training.log.message(training.describe())
        return _run_mode(training)
    finally:
        training.log.close()


def _run_mode(training: Training) -> finish.Summary:
    mode = training.config.mode
    if mode == "predict":
        predictions.predict(training)
        return {}
    if mode in ("training_benchmark", "inference_benchmark"):
        benchmark.write(training, getattr(benchmark, mode)(training))
        return {}
    results: Results = {}
    if mode != "eval":
        results = _train(training)
        training.checkpoints.wait()
    if mode != "train" and not results:
        results = _evaluate(training)
    training.heartbeat.phase = FINISHING
    return finish.finish(training, results)


def _train(training: Training) -> Results:
    """Takes all steps that are left; the evaluation after the last, if there was one."""
    stop = StopRequest()
    results: Results = {}
    stages, begin = training.schedule.stages(), training.steps_taken()
    if begin == training.schedule.total_steps or _stops_early(training):
        return results
    batches = training.train_batches(stages, begin)
    for stage, first, end in stages:
        begin = max(first, training.steps_taken())
        if begin < end and not _stops_early(training):
            training.log.message(f"stage {stage.index + 1} of {training.config.n_stages}: {stage}")
            results = _train_stage(training, stage, begin, end, batches, stop)
    return results


def _train_stage(
    training: Training, stage: Stage, begin: int, end: int, batches, stop: StopRequest
) -> Results:
    config, meter, heartbeat = training.config, training.meter, training.heartbeat
    meter.restart()
    results: Results = {}
    heartbeat.phase = COMPILING
    for step in range(begin + 1, end + 1):
        images, targets = next(batches)
        learning_rate = tf.constant(training.schedule.learning_rate(step - 1))
        heartbeat.begin_step(step)
        training.checkpoints.check()
        metrics = training.step(images, targets, learning_rate, tf.constant(stop.asked))
        heartbeat.phase = TRAINING
        meter.add(stage, step, metrics)
        results = {}
        if config.mode == "train_and_eval" and _due(training, step, config.eval_freq):
            meter.flush()
            results = _evaluate(training)
            _keep_best(training, results)
            meter.restart()
        if meter.stop_agreed or step == end or _due(training, step, config.save_checkpoint_freq):
            meter.flush()
            training.save()
        if meter.stop_agreed:
            training.checkpoints.wait()
            raise TrainingInterrupted(f"stopped at step {step}; a checkpoint is written")
        if _stops_early(training):
            training.log.message(f"top-1 has not risen for {config.early_stopping_epochs} epochs")
            training.save()
            break
    meter.flush()
    return results


def _evaluate(training: Training) -> Results:
    """Evaluates the raw weights and, where there is one, their moving average."""
    results, step, heartbeat = {}, training.steps_taken(), training.heartbeat

    def evaluated_a_batch() -> None:
        heartbeat.end_batch()
        heartbeat.phase = EVALUATING

    for name, variables in training.state.weight_sets().items():
        heartbeat.phase = COMPILING
        weights = [variable.read_value() for variable in variables]
        result = training.evaluation(training.eval_batches(), weights, evaluated_a_batch)
        training.log.evaluation(step, training.schedule.epoch_at(step), name, result)
        results[name] = result
    return results


def _keep_best(training: Training, results: Results) -> None:
    """Keeps the weights of the best evaluation so far; one without a result never is."""
    state, name = training.state, finish.better(results)
    top_1 = results[name]["top_1"]
    if top_1 is None or top_1 <= state.best_top_1.numpy():
        return
    state.best_top_1.assign(top_1)
    state.best_top_5.assign(results[name]["top_5"])
    state.best_step.assign(state.step)
    if training.ranks.rank == 0:
        path = Path(training.config.model_dir) / finish.BEST_FILE
        weights_io.save(path, training.network.named_arrays(state.weight_sets()[name]))


def _stops_early(training: Training) -> bool:
    """Whether top-1 has not risen for `early_stopping_epochs`; the same on every rank."""
    patience = training.config.early_stopping_epochs
    best = int(training.state.best_step.numpy())
    if not patience or not best:
        return False
    return training.schedule.epoch_at(training.steps_taken() - best) >= patience


def _due(training: Training, step: int, every_epochs: int) -> bool:
    """Whether `step` is the last, or completes a multiple of `every_epochs` epochs."""
    schedule = training.schedule
    epochs = int(schedule.epoch_at(step) / every_epochs)
    return epochs > int(schedule.epoch_at(step - 1) / every_epochs) or step == schedule.total_steps
