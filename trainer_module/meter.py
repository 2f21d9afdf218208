"""Averages the metrics of steps between two lines of the log."""

import collections
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from trainer_module.run_log import RunLog
from trainer_module.schedule import Schedule
from trainer_module.stages import Stage

# Steps whose metrics may still be on their way, so that the host does not wait for the device.
METRICS_DELAY_STEPS = 2
# With dynamic loss scaling a few steps are skipped at the start; this many mean divergence.
MAX_SKIPPED_IN_A_ROW = 30


class TrainingError(RuntimeError):
    """Training cannot go on."""


class Meter:
    """Throughput and metrics of one training.

    Attributes:
      images: training images so far, over all ranks.
      secs: seconds spent in training steps.
      by_stage: stage's index to [image size in pixels, images, seconds].
      skipped: steps that were skipped because a gradient was not finite.
      stop_agreed: whether any rank was asked to stop; the same on all ranks.
    """

    def __init__(
        self,
        log: RunLog,
        schedule: Schedule,
        interval_secs: float,
        clock: Callable[[], float] = time.monotonic,
    ):
        """Writes to `log` about every `interval_secs`."""
        self.images, self.secs, self.skipped = 0, 0.0, 0
        self.by_stage: dict[int, list[float]] = {}
        self.stop_agreed = False
        self._log, self._schedule = log, schedule
        self._interval_secs, self._clock = interval_secs, clock
        self._pending: collections.deque[tuple[Stage, int, tf.Tensor]] = collections.deque()
        self._undecided: collections.deque[tuple[int, tf.Tensor]] = collections.deque()
        self._skipped_in_a_row = 0
        self._first_line: tuple[int, float] | None = None  # its step, and when it was written
        self.restart()

    def restart(self) -> None:
        """Starts a new interval, after something that was no training."""
        self._since = self._clock()
        self._values: list[np.ndarray] = []

    def add(self, stage: Stage, step: int, metrics: tf.Tensor) -> None:
        """Takes the metrics of a step, float32 [4]; decides by those of an earlier one.

        Raises:
          TrainingError: too many steps in a row were skipped.
        """
        self._pending.append((stage, step, metrics))
        self._undecided.append((step, metrics))
        if len(self._undecided) > METRICS_DELAY_STEPS:
            self._decide(*self._undecided.popleft())
        if self._clock() - self._since >= self._interval_secs:
            # All of them, so that the images and the seconds of a line are of the same steps.
            self.flush()

    def flush(self) -> None:
        """Writes the interval, with all of its steps, if there are any."""
        while self._pending:
            self._look(*self._pending.popleft())
        if self._values:
            self._write()

    def _decide(self, step: int, metrics: tf.Tensor) -> None:
        # Always after the same number of steps, whatever the clock says: the metrics are the same
        # on all ranks, and so ranks end in the same step. One that ended earlier would take the
        # others with it before they have written a checkpoint.
        _, _, stop, skipped = metrics.numpy()
        self.stop_agreed |= bool(stop > 0)
        self._skipped_in_a_row = self._skipped_in_a_row + 1 if skipped else 0
        if self._skipped_in_a_row >= MAX_SKIPPED_IN_A_ROW:
            raise TrainingError(
                f"the gradients of {self._skipped_in_a_row} steps in a row were not finite (last: "
                f"step {step}); begin anew with a lower lr_init, or with clip_norm"
            )

    def _look(self, stage: Stage, step: int, metrics: tf.Tensor) -> None:
        values = metrics.numpy()
        self._stage, self._step = stage, step
        self._values.append(values)
        self.skipped += int(values[3])

    def _write(self) -> None:
        secs = self._clock() - self._since
        images = len(self._values) * self._schedule.global_batch
        # Steps that were skipped have no finite loss to average.
        counted = [values for values in self._values if not values[3]] or self._values
        loss, top_1, _, _ = np.mean(counted, axis=0)
        self.images += images
        self.secs += secs
        of_stage = self.by_stage.setdefault(self._stage.index, [self._stage.img_size, 0, 0.0])
        of_stage[1] += images
        of_stage[2] += secs
        values: dict[str, Any] = {
            "step": self._step,
            "epoch": round(self._schedule.epoch_at(self._step), 4),
            "stage": self._stage.index,
            "img_size": self._stage.img_size,
            "loss": float(loss),
            "top_1_train": float(top_1),
            "lr": self._schedule.learning_rate(self._step - 1),
            "images_per_sec": round(images / secs, 2),
            "skipped_steps": self.skipped,
            "eta_secs": self._eta_secs(),
        }
        self._log.progress(values)
        self.restart()

    def _eta_secs(self) -> float | None:
        """Seconds that are left, by the pixels that are left; None at the first line.

        What was not training, as evaluations, counts as it did so far. Time before the first line
        does not count: it goes into tracing.
        """
        if self._first_line is None:
            self._first_line = self._step, self._clock()
            return None
        step, since = self._first_line
        before, now, end = map(
            self._schedule.pixels_before, (step, self._step, self._schedule.total_steps)
        )
        return round((self._clock() - since) / (now - before) * (end - now), 1)
