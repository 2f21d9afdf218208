"""The whole training, top to bottom: data, state, stages, evaluation, export."""

import hashlib
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from preprocessing import features
from preprocessing.errors import InputError
from trainer_module import benchmark, devices, distributed, finish, predictions
from trainer_module.checkpoints import Checkpoints
from trainer_module.config import TrainConfig
from trainer_module.data import record_index
from trainer_module.data.input_pipeline import eval_dataset, train_dataset
from trainer_module.evaluate import Evaluation
from trainer_module.job.heartbeat import COMPILING, EVALUATING, FINISHING, TRAINING, Heartbeat
from trainer_module.job.stop_signal import StopRequest, TrainingInterrupted
from trainer_module.meter import Meter, TrainingError
from trainer_module.network import architectures, weights_io
from trainer_module.network.initial_weights import initial_weights
from trainer_module.network.model import Network
from trainer_module.run_log import RunLog
from trainer_module.schedule import Schedule
from trainer_module.stages import Stage
from trainer_module.train_step import TrainState, make_train_step


def run(config: TrainConfig, heartbeat: Heartbeat) -> finish.Summary:
    """Trains, evaluates and exports, as `config.mode` says.

    Args:
      config: the settings.
      heartbeat: told what this rank does, for whoever watches it.

    Returns:
      what `train_summary.json` holds; nothing in the modes that write none.

    Raises:
      InputError: the data or a checkpoint does not fit the settings.
      TrainingError: the loss diverged, or ranks ended with different weights.
      TrainingInterrupted: SIGTERM came.
    """
    ranks = distributed.join(config.hvd_fp16_compression)
    devices.set_up(config, ranks)
    training = Training(config, ranks, heartbeat)
    try:
        return training.run()
    finally:
        training.log.close()


class Training:
    """One training, or its continuation."""

    def __init__(self, config: TrainConfig, ranks: distributed.Ranks, heartbeat: Heartbeat):
        """Reads the index of the data, builds the network, restores a checkpoint if there is one.

        Raises:
          InputError: see `run`.
        """
        self.started = time.monotonic()
        self.config, self.ranks, self.heartbeat = config, ranks, heartbeat
        self.class_names = record_index.class_names(config.data_dir, config.num_classes)
        self.train_index = _index(config.data_dir, (features.TRAIN_SPLIT,))
        self.eval_index = _index(config.data_dir, features.EVAL_SPLIT_NAMES)
        self.schedule = Schedule(config, len(self.train_index), ranks.size)
        self.network = Network(
            architectures.build(
                config.arch,
                len(self.class_names),
                config.width_coefficient,
                config.depth_coefficient,
            ),
            devices.data_format(config),
        )
        self.state = TrainState(self.network, config, self._initial_weights())
        Path(config.model_dir).mkdir(parents=True, exist_ok=True)
        self.log = RunLog(config.model_dir, ranks.rank == 0, self.schedule.total_steps)
        self.meter = Meter(self.log, self.schedule, config.log_interval_secs)
        self.evaluation = Evaluation(self.network, config, ranks)
        self.checkpoints = Checkpoints(
            config.model_dir, self.state.variables(), config.max_checkpoints
        )
        self.resumed_from_step = self._restore()

    def run(self) -> finish.Summary:
        """See the function `run`."""
        self.log.say(self._describe())
        if self.config.mode == "predict":
            predictions.predict(self)
            return {}
        if self.config.mode in ("training_benchmark", "inference_benchmark"):
            benchmark.write(self, getattr(benchmark, self.config.mode)(self))
            return {}
        results: dict[str, dict[str, float]] = {}
        if self.config.mode != "eval":
            results = self._train()
            self.checkpoints.wait()
        if self.config.mode != "train" and not results:
            results = self._evaluate()
        self.heartbeat.phase = FINISHING
        return finish.finish(self, results)

    def _initial_weights(self) -> dict[str, np.ndarray]:
        fresh = initial_weights(self.network, self.config.seed)
        path = self.config.init_weights
        return weights_io.load_initial(path, self.network, fresh) if path else fresh

    def _restore(self) -> int | None:
        # Only rank 0 has the folder for certain; the others get its whole state.
        if self.ranks.rank == 0 and self.checkpoints.restore():
            step = int(self.state.step.numpy())
            self.log.say(f"resumed at step {step} of {self.schedule.total_steps}")
        self.ranks.broadcast(list(self.state.variables().values()))
        return int(self.state.step.numpy()) or None

    def _train(self) -> dict[str, dict[str, float]]:
        """Takes all steps that are left; the evaluation after the last, if there was one."""
        stop = StopRequest()
        results: dict[str, dict[str, float]] = {}
        stages, begin = self.schedule.stages(), int(self.state.step.numpy())
        if begin == self.schedule.total_steps or self._stops_early():
            return results
        step_function = make_train_step(self.network, self.config, self.state, self.ranks)
        dataset = train_dataset(
            self.train_index, self.config, stages, begin, len(self.class_names), self.ranks
        )
        batches = iter(dataset)
        for stage, first, end in stages:
            begin = max(first, int(self.state.step.numpy()))
            if begin < end and not self._stops_early():
                self.log.say(f"stage {stage.index + 1} of {self.config.n_stages}: {stage}")
                results = self._train_stage(stage, begin, end, batches, step_function, stop)
        return results

    def _train_stage(
        self, stage: Stage, begin: int, end: int, batches, step_function, stop: StopRequest
    ) -> dict[str, dict[str, float]]:
        self.meter.restart()
        results: dict[str, dict[str, float]] = {}
        self.heartbeat.phase = COMPILING
        for step in range(begin + 1, end + 1):
            images, targets = next(batches)
            learning_rate = tf.constant(self.schedule.learning_rate(step - 1))
            self.heartbeat.step = step
            metrics = step_function(images, targets, learning_rate, tf.constant(stop.asked))
            self.heartbeat.phase = TRAINING
            self.meter.add(stage, step, metrics)
            results = {}
            if self.config.mode == "train_and_eval" and self._due(step, self.config.eval_freq):
                self.meter.flush()
                results = self._evaluate()
                self._keep_best(results)
                self.meter.restart()
            if self.meter.stop_agreed or self._saves_after(step, end):
                self.meter.flush()
                self._save()
            if self.meter.stop_agreed:
                self.checkpoints.wait()
                raise TrainingInterrupted(f"stopped at step {step}; a checkpoint is written")
            if self._stops_early():
                self.log.say(f"top-1 has not risen for {self.config.early_stopping_epochs} epochs")
                self._save()
                break
        self.meter.flush()
        return results

    def _evaluate(self) -> dict[str, dict[str, float]]:
        """Evaluates the raw weights and, where there is one, their moving average."""
        results = {}
        step = int(self.state.step.numpy())
        for name, variables in self.state.candidates().items():
            dataset = eval_dataset(self.eval_index, self.config, len(self.class_names), self.ranks)
            self.heartbeat.phase = COMPILING
            weights = [variable.read_value() for variable in variables]
            results[name] = self.evaluation(dataset, weights, self._evaluated)
            self.log.evaluation(step, self.schedule.epoch_at(step), name, results[name])
        return results

    def _evaluated(self) -> None:
        self.heartbeat.batches += 1
        self.heartbeat.phase = EVALUATING

    def _keep_best(self, results: dict[str, dict[str, float]]) -> None:
        """Keeps the weights of the best evaluation so far."""
        name = finish.better(results)
        if results[name]["top_1"] <= self.state.best_top_1.numpy():
            return
        self.state.best_top_1.assign(results[name]["top_1"])
        self.state.best_step.assign(self.state.step)
        if self.ranks.rank == 0:
            path = Path(self.config.model_dir) / finish.BEST_FILE
            weights_io.save(path, self.network.named_arrays(self.state.candidates()[name]))

    def _stops_early(self) -> bool:
        """Whether top-1 has not risen for `early_stopping_epochs`; the same on every rank."""
        patience, best = self.config.early_stopping_epochs, int(self.state.best_step.numpy())
        if not patience or not best:
            return False
        return self.schedule.epoch_at(int(self.state.step.numpy()) - best) >= patience

    def _saves_after(self, step: int, end: int) -> bool:
        return step == end or self._due(step, self.config.save_checkpoint_freq)

    def _due(self, step: int, every_epochs: int) -> bool:
        """Whether `step` is the last, or completes a multiple of `every_epochs` epochs."""
        epochs = int(self.schedule.epoch_at(step) / every_epochs)
        return (
            epochs > int(self.schedule.epoch_at(step - 1) / every_epochs)
            or step == self.schedule.total_steps
        )

    def _save(self) -> None:
        if self.ranks.rank == 0:
            self.checkpoints.save(int(self.state.step.numpy()))

    def weights_sha256(self) -> str:
        """Digest of the final weights, the same on every rank.

        Raises:
          TrainingError: ranks differ.
        """
        digest = hashlib.sha256()
        for variables in self.state.candidates().values():
            for variable in variables:
                digest.update(variable.numpy().tobytes())
        digests = self.ranks.gather(digest.hexdigest())
        if len(set(digests)) > 1:
            raise TrainingError(f"the ranks ended with different weights: {digests}")
        return digests[0]

    def _describe(self) -> str:
        config, network = self.config, self.network
        return (
            f"{config.arch}: {network.kernels.size + network.vectors.size:,} trainable weights, "
            f"{len(self.class_names)} classes; {len(self.train_index):,} training and "
            f"{len(self.eval_index):,} evaluation images; {self.ranks.describe()}, "
            f"batch {self.schedule.global_batch}, {self.schedule.total_steps:,} steps; "
            f"{devices.describe(config)}"
        )


def _index(data_dir: str, split_names: tuple[str, ...]) -> record_index.RecordIndex:
    index = record_index.build_index(record_index.find_shards(data_dir, split_names))
    if not len(index):
        raise InputError(f"the split {split_names[0]!r} of data_dir {data_dir!r} has no records")
    return index
