"""The whole training, top to bottom: data, state, stages, evaluation, export."""

import collections
import dataclasses
import hashlib
import signal
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from preprocessing import features
from preprocessing.errors import InputError
from trainer_module import architectures, devices, distributed, finish, records, weights_io
from trainer_module.checkpoints import Checkpoints
from trainer_module.config import TrainConfig
from trainer_module.evaluate import Evaluation
from trainer_module.input_pipeline import eval_dataset, train_dataset
from trainer_module.model import Network, initial_weights
from trainer_module.run_log import RunLog
from trainer_module.schedule import Schedule
from trainer_module.stages import Stage
from trainer_module.train_step import TrainState, make_train_step

# Steps whose metrics may still be on their way, so that the host does not wait for the device.
METRICS_DELAY_STEPS = 2
# With dynamic loss scaling a few steps are skipped at the start; this many mean divergence.
MAX_SKIPPED_IN_A_ROW = 30


class TrainingError(RuntimeError):
    """Training cannot go on."""


class TrainingInterrupted(Exception):
    """Training was asked to stop; a checkpoint was written."""


def run(config: TrainConfig) -> dict[str, float | int | str | None]:
    """Trains, evaluates and exports, as `config.mode` says.

    Returns:
      what `train_summary.json` holds.

    Raises:
      InputError: the data or a checkpoint does not fit the settings.
      TrainingError: the loss diverged, or ranks ended with different weights.
      TrainingInterrupted: SIGTERM came.
    """
    ranks = distributed.join(config.hvd_fp16_compression)
    devices.set_up(config, ranks)
    return Training(config, ranks).run()


class Training:
    """One training, or its continuation."""

    def __init__(self, config: TrainConfig, ranks: distributed.Ranks):
        """Reads the index of the data, builds the network, restores a checkpoint if there is one.

        Raises:
          InputError: see `run`.
        """
        self.started = time.monotonic()
        self.config, self.ranks = config, ranks
        self.class_names = records.class_names(config.data_dir, config.num_classes)
        self.train_index = _index(config.data_dir, (features.TRAIN_SPLIT,))
        self.eval_index = _index(config.data_dir, features.EVAL_SPLIT_NAMES)
        self.schedule = Schedule(config, len(self.train_index), ranks.size)
        self.network = Network(
            architectures.build(
                config.arch,
                len(self.class_names),
                config.width_coefficient,
                config.depth_coefficient,
            )
        )
        self.state = TrainState(self.network, config, self._initial_weights())
        Path(config.model_dir).mkdir(parents=True, exist_ok=True)
        self.log = RunLog(config.model_dir, ranks.rank == 0, self.schedule.total_steps)
        self.checkpoints = Checkpoints(config.model_dir, self.state, config.max_checkpoints)
        self.evaluation = Evaluation(self.network, config, ranks)
        self.resumed_from_step = self._restore()
        self.images_trained, self.train_secs = 0, 0.0

    def _initial_weights(self) -> dict[str, np.ndarray]:
        fresh = initial_weights(self.network, self.config.seed)
        path = self.config.init_weights
        return weights_io.load_initial(path, self.network, fresh) if path else fresh

    def _restore(self) -> int | None:
        resumed = self.checkpoints.restore() if self.ranks.rank == 0 else None
        self.ranks.broadcast(list(self.state.variables().values()))
        if resumed is not None:
            self.log.say(f"resumed at step {resumed} of {self.schedule.total_steps}")
        return resumed

    def run(self) -> dict[str, float | int | str | None]:
        """See the function `run`."""
        self.log.say(self._describe())
        if self.config.mode != "eval":
            self._train()
        results = self.evaluate() if self.config.mode != "train" else {}
        return finish.finish(self, results)

    def evaluate(self) -> dict[str, dict[str, float]]:
        """Evaluates the raw weights and, where there is one, their moving average."""
        candidates = {"raw": self.state.model_variables()}
        if self.state.averages:
            candidates["ema"] = self.state.averages
        results = {}
        step = int(self.state.step.numpy())
        for name, weights in candidates.items():
            dataset = eval_dataset(self.eval_index, self.config, len(self.class_names), self.ranks)
            results[name] = self.evaluation(dataset, [v.read_value() for v in weights])
            self.log.evaluation(step, self.schedule.epoch_at(step), name, results[name])
        return results

    def _train(self) -> None:
        step_function = make_train_step(self.network, self.config, self.state, self.ranks)
        stop = _StopRequest()
        for stage, first, end in self.schedule.stages():
            begin = max(first, int(self.state.step.numpy()))
            if begin < end:
                self.log.say(f"stage {stage.index + 1} of {self.config.n_stages}: {stage}")
                self._train_stage(stage, begin, end, step_function, stop)

    def _train_stage(self, stage: Stage, begin: int, end: int, step_function, stop) -> None:
        dataset = train_dataset(
            self.train_index, self.config, stage, (begin, end), len(self.class_names), self.ranks
        )
        meter = _Meter(self, stage)
        for step, (images, targets) in zip(range(begin, end), dataset, strict=True):
            learning_rate = tf.constant(self.schedule.learning_rate(step))
            meter.add(
                step + 1, step_function(images, targets, learning_rate, tf.constant(stop.asked))
            )
            if meter.stop_agreed:
                self._save()
                raise TrainingInterrupted(f"stopped at step {step + 1}; a checkpoint is written")
            if self._due(step + 1, self.config.save_checkpoint_freq) or step + 1 == end:
                meter.flush()
                self._save()
            last = step + 1 == self.schedule.total_steps
            if not last and self._due(step + 1, self.config.eval_freq):
                if self.config.mode == "train_and_eval":
                    self.evaluate()
                meter.restart()
        meter.flush()

    def _due(self, step: int, every_epochs: int) -> bool:
        """Whether `step` is the first after a multiple of `every_epochs` epochs."""
        epochs = int(self.schedule.epoch_at(step) / every_epochs)
        return epochs > int(self.schedule.epoch_at(step - 1) / every_epochs)

    def _save(self) -> None:
        if self.ranks.rank == 0:
            self.checkpoints.save()

    def weights_sha256(self) -> str:
        """Digest of the final weights, the same on every rank.

        Raises:
          TrainingError: ranks differ.
        """
        digest = hashlib.sha256()
        for variable in (*self.state.model_variables(), *self.state.averages):
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
            f"{len(self.eval_index):,} evaluation images; {self.ranks.size} process(es), "
            f"batch {self.schedule.global_batch}, {self.schedule.total_steps:,} steps; "
            f"{devices.describe(config)}"
        )


class _Meter:
    """Averages the metrics between two lines of the log."""

    def __init__(self, training: Training, stage: Stage):
        self._training, self._stage = training, stage
        self._pending: collections.deque = collections.deque()
        self._skipped_in_a_row = 0
        self.stop_agreed = False
        self.restart()

    def restart(self) -> None:
        """Starts a new interval, after something that was no training."""
        self._since = time.monotonic()
        self._values: list[np.ndarray] = []

    def add(self, step: int, metrics: tf.Tensor) -> None:
        """Takes the metrics of a step; looks at those of an earlier one."""
        self._pending.append((step, metrics))
        while len(self._pending) > METRICS_DELAY_STEPS:
            self._look(*self._pending.popleft())

    def flush(self) -> None:
        """Looks at all that is pending and writes the interval."""
        while self._pending:
            self._look(*self._pending.popleft())
        if self._values:
            self._write()

    def _look(self, step: int, metrics: tf.Tensor) -> None:
        values = metrics.numpy()
        self._step = step
        self._values.append(values)
        self.stop_agreed |= bool(values[2] > 0)
        self._skipped_in_a_row = self._skipped_in_a_row + 1 if values[3] else 0
        if self._skipped_in_a_row >= MAX_SKIPPED_IN_A_ROW:
            raise TrainingError(
                f"the gradients of {self._skipped_in_a_row} steps in a row were not finite (last: "
                f"step {step}); the newest checkpoint is good: lower lr_init, or set clip_norm"
            )
        interval = self._training.config.log_interval_secs
        if time.monotonic() - self._since >= interval:
            self._write()

    def _write(self) -> None:
        training, secs = self._training, time.monotonic() - self._since
        images = len(self._values) * training.schedule.global_batch
        loss, top_1, _, skipped = np.mean(self._values, axis=0)
        training.images_trained += images
        training.train_secs += secs
        training.log.progress(
            {
                "step": self._step,
                "epoch": round(training.schedule.epoch_at(self._step), 4),
                "stage": self._stage.index,
                "img_size": self._stage.img_size,
                "loss": float(loss),
                "top_1_train": float(top_1),
                "lr": training.schedule.learning_rate(self._step - 1),
                "images_per_sec": round(images / secs, 2),
                "skipped_steps": round(float(skipped) * len(self._values)),
            }
        )
        self.restart()


@dataclasses.dataclass
class _StopRequest:
    """SIGTERM (an eviction, a shutdown) asks for a checkpoint and an end."""

    asked: float = 0.0

    def __post_init__(self) -> None:
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = 1.0


def _index(data_dir: str, split_names: tuple[str, ...]) -> records.RecordIndex:
    index = records.build_index(records.find_shards(data_dir, split_names))
    if not len(index):
        raise InputError(f"the split {split_names[0]!r} of data_dir {data_dir!r} has no records")
    return index
