"""What a training writes of itself: lines of its log, TensorBoard scalars, the summary."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from preprocessing.files import disk_full
from preprocessing.files.new_file import write_text
from trainer_module.evaluate import Result
from trainer_module.job import train_log
from trainer_module.job.display import Display
from trainer_module.run_files import SUMMARY_FILE


class RunLog:
    """The log of one training; written by rank 0 only."""

    def __init__(
        self,
        model_dir: str,
        enabled: bool,
        total_steps: int,
        display: Display | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        """Opens the log.

        Args:
          model_dir: the training's folder.
          enabled: false on all ranks but the first, which then write nothing.
          total_steps: steps of the whole training.
          display: what a person sees of the log; None where a supervisor shows it.
          clock: seconds that never go back.
        """
        self._model_dir = Path(model_dir)
        self._enabled = enabled
        self._total_steps = total_steps
        self._display = display
        self._clock = clock
        self._start = clock()
        self._events = tf.summary.create_file_writer(model_dir) if enabled else None

    def message(self, text: str) -> None:
        """A plain line for the person."""
        self._write({train_log.MESSAGE: text})

    def close(self) -> None:
        """Takes the bar of the display away."""
        if self._display is not None:
            self._display.close()

    def progress(self, values: dict[str, Any]) -> None:
        """An interval of training: `step`, `epoch`, `stage`, `img_size`, `loss`, `top_1_train`,
        `lr`, `images_per_sec`, `skipped_steps`, `eta_secs`.
        """
        values = {**values, "total_steps": self._total_steps, "secs": self._secs()}
        self._write(values)
        self._write_scalars("train", values)

    def evaluation(self, step: int, epoch: float, weights: str, result: Result) -> None:
        """A result of evaluating `weights`, which is `raw` or `ema`."""
        values = {
            "step": step,
            "epoch": round(epoch, 4),
            "weights": weights,
            **{f"eval_{key}": value for key, value in result.items()},
            "secs": self._secs(),
        }
        self._write(values)
        self._write_scalars(weights, values)

    def summary(self, values: dict[str, Any]) -> None:
        """The result of the training; its file is complete or absent."""
        if self._enabled:
            write_text(self._model_dir / SUMMARY_FILE, json.dumps(values, indent=2) + "\n")

    def _secs(self) -> float:
        return round(self._clock() - self._start, 2)

    def _write(self, entry: dict[str, Any]) -> None:
        if not self._enabled:
            return
        train_log.append(self._model_dir, entry)
        if self._display is not None:
            self._display.show(entry)

    def _write_scalars(self, prefix: str, values: dict[str, Any]) -> None:
        if not self._enabled:
            return
        numbers = {
            key: value
            for key, value in values.items()
            if isinstance(value, (int, float)) and key not in ("step", "total_steps", "secs")
        }
        events = self._model_dir / "events.out.tfevents"  # the beginning of the file's name
        with disk_full.naming(events), self._events.as_default(step=values["step"]):
            for key, value in numbers.items():
                tf.summary.scalar(f"{prefix}/{key}", value)
            self._events.flush()
