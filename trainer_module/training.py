"""The state of one training: what it reads, computes with and writes to."""

import functools
import hashlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from preprocessing import features
from preprocessing.errors import InputError
from preprocessing.files import disk_full
from preprocessing.files.code_digest import code_digest
from preprocessing.files.digest import sha256_of
from trainer_module import devices, resume
from trainer_module.build import build
from trainer_module.checkpoints import Checkpoints
from trainer_module.config import TrainConfig
from trainer_module.data import bad_records, input_pipeline, record_index
from trainer_module.distributed import Ranks
from trainer_module.evaluate import Evaluation
from trainer_module.job import processes
from trainer_module.job.display import Display
from trainer_module.job.heartbeat import Heartbeat
from trainer_module.made_with import MadeWith, settings_of
from trainer_module.meter import Meter, TrainingError
from trainer_module.run_log import RunLog
from trainer_module.schedule import Schedule
from trainer_module.stages import Stage


class Training:
    """One training, or its continuation; `loop.py` says what is done with it.

    Attributes:
      started: when it was made, by the monotonic clock.
      config, ranks, heartbeat: as given.
      class_names: names of the classes, in the order of their labels.
      train_index, eval_index: where each record of the splits lies.
      schedule: steps, epochs and learning rates.
      network, state, step: see `build.Built`.
      log, meter, evaluation, checkpoints: where its results go.
      resumed_from_step: the step of the checkpoint that it goes on from, None if it is new.
    """

    def __init__(self, config: TrainConfig, ranks: Ranks, heartbeat: Heartbeat):
        """Reads the index of the data, builds the network, restores a checkpoint if there is one.

        Raises:
          InputError: the data or a checkpoint does not fit the settings.
        """
        self.started = time.monotonic()
        self.config, self.ranks, self.heartbeat = config, ranks, heartbeat
        self.class_names = record_index.class_names(config.data_dir, config.num_classes)
        self.train_index = _index(config.data_dir, (features.TRAIN_SPLIT,))
        self.eval_index = _index(config.data_dir, features.EVAL_SPLIT_NAMES)
        self.schedule = Schedule(config, len(self.train_index), ranks.size)
        built = build(config, len(self.class_names), ranks)
        self.network, self.state, self.step = built.network, built.state, built.step
        with disk_full.naming(config.model_dir):
            Path(config.model_dir).mkdir(parents=True, exist_ok=True)
        display = None if processes.is_supervised() else Display()
        self.log = RunLog(config.model_dir, ranks.rank == 0, self.schedule.total_steps, display)
        self.meter = Meter(self.log, self.schedule, config.log_interval_secs)
        self.evaluation = Evaluation(self.network, config, ranks)
        self.checkpoints = Checkpoints(
            config.model_dir, self.state.variables(), config.max_checkpoints
        )
        self._code_digest = code_digest("trainer_module")
        self._reached = self._made_with()
        # Only rank 0 has the folder for certain; the others get its whole state.
        if ranks.rank == 0:
            self._resume()
        ranks.broadcast(list(self.state.variables().values()))
        self.resumed_from_step = self.steps_taken() or None

    def _resume(self) -> None:
        self._reached = resume.resume(
            self.config,
            self.checkpoints,
            self.state,
            self._reached,
            self._code_digest,
            self.log.message,
        )
        if self.steps_taken():
            self.log.message(f"resumed at step {self.steps_taken()} of {self.schedule.total_steps}")

    def _made_with(self) -> MadeWith:
        names = "".join(f"{name}\n" for name in self.class_names)
        return MadeWith(
            settings=settings_of(self.config),
            ranks=self.ranks.size,
            examples=len(self.train_index),
            train_records=self.train_index.sha256,
            eval_records=self.eval_index.sha256,
            class_names=hashlib.sha256(names.encode()).hexdigest(),
            init_weights=_file_sha256(self.config.init_weights),
        )

    def made_with(self) -> MadeWith:
        """What a checkpoint at this step is made with; on rank 0."""
        if self.steps_taken() == (self.resumed_from_step or 0):
            return self._reached
        return self._reached.at(self.steps_taken() * self.schedule.global_batch, self._code_digest)

    def steps_taken(self) -> int:
        """Steps that were taken so far, with the skipped ones."""
        return int(self.state.step.numpy())

    def train_dataset(
        self, stages: Sequence[tuple[Stage, int, int]], begin: int
    ) -> tf.data.Dataset:
        """This rank's batches of the training split, from step `begin` of `stages` on."""
        return input_pipeline.train_dataset(
            self.train_index, self.config, stages, begin, len(self.class_names), self.ranks
        )

    def train_batches(
        self, stages: Sequence[tuple[Stage, int, int]], begin: int
    ) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        """The batches of `train_dataset`; an error names its records.

        Raises:
          DataError: records are damaged or cannot be decoded.
        """
        config, examples = self.config, len(self.train_index)

        def examples_of(number: int) -> np.ndarray:
            batch = (begin + number, config.train_batch_size)
            return input_pipeline.step_examples(config.seed, *batch, self.ranks, examples)[0]

        dataset = self.train_dataset(stages, begin)
        return bad_records.named_batches(dataset, self.train_index, examples_of)

    def eval_batches(self) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        """The batches of `eval_dataset`; an error names its records.

        Raises:
          DataError: records are damaged or cannot be decoded.
        """
        mine = range(self.ranks.rank, len(self.eval_index), self.ranks.size)
        size = self.config.eval_batch_size
        return bad_records.named_batches(
            self.eval_dataset, self.eval_index, lambda number: mine[number * size :][:size]
        )

    @functools.cached_property
    def eval_dataset(self) -> tf.data.Dataset:
        """This rank's share of the evaluation split; traced once, however often it is read."""
        return input_pipeline.eval_dataset(
            self.eval_index, self.config, len(self.class_names), self.ranks
        )

    def save(self) -> None:
        """Begins to write a checkpoint, by rank 0."""
        if self.ranks.rank == 0:
            self.checkpoints.save(self.steps_taken(), self.made_with())

    def weights_sha256(self) -> str:
        """Digest of the final weights, the same on every rank.

        Raises:
          TrainingError: ranks differ.
        """
        digest = hashlib.sha256()
        for variables in self.state.weight_sets().values():
            for variable in variables:
                digest.update(variable.numpy().tobytes())
        digests = self.ranks.gather(digest.hexdigest())
        if len(set(digests)) > 1:
            raise TrainingError(f"the ranks ended with different weights: {digests}")
        return digests[0]

    def describe(self) -> str:
        """What is trained on what, in one line."""
        config, network = self.config, self.network
        return (
            f"{config.arch}: {network.kernels.size + network.vectors.size:,} trainable weights, "
            f"{len(self.class_names)} classes; {len(self.train_index):,} training and "
            f"{len(self.eval_index):,} evaluation images; {self.ranks.describe()}, "
            f"batch {self.schedule.global_batch}, {self.schedule.total_steps:,} steps; "
            f"{devices.describe(config)}"
        )


def _file_sha256(path: str) -> str:
    if not path:
        return ""
    with tf.io.gfile.GFile(path, "rb") as file:
        return sha256_of(file)


def _index(data_dir: str, split_names: tuple[str, ...]) -> record_index.RecordIndex:
    index = record_index.build_index(record_index.find_shards(data_dir, split_names))
    if not len(index):
        raise InputError(f"the split {split_names[0]!r} of data_dir {data_dir!r} has no records")
    return index
