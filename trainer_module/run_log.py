"""What a training tells: JSON lines, TensorBoard scalars, and a progress bar or lines."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from preprocessing.files.new_file import write_text
from trainer_module.evaluate import Result
from trainer_module.job import terminal
from trainer_module.run_files import LOG_FILE, SUMMARY_FILE


class RunLog:
    """The log of one training; written by rank 0 only."""

    def __init__(
        self,
        model_dir: str,
        enabled: bool,
        total_steps: int,
        clock: Callable[[], float] = time.monotonic,
        console: Console | None = None,
    ):
        """Opens the log.

        Args:
          model_dir: the training's folder.
          enabled: false on all ranks but the first, which then write nothing.
          total_steps: steps of the whole training.
          clock: seconds that never go back.
          console: where the person reads; see `terminal.console`. On a terminal there is a bar,
            elsewhere plain lines.
        """
        self._path = Path(model_dir) / LOG_FILE
        self._enabled = enabled
        self._total_steps = total_steps
        self._clock = clock
        self._start = clock()
        self._events = tf.summary.create_file_writer(model_dir) if enabled else None
        self._console = console or terminal.console()
        self._bar: Progress | None = None

    def say(self, text: str) -> None:
        """A plain line for the person."""
        if self._enabled:
            self._console.print(text, markup=False, soft_wrap=True)

    def close(self) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def progress(self, values: dict[str, Any]) -> None:
        """An interval of training: `step`, `epoch`, `stage`, `img_size`, `loss`, `top_1_train`,
        `lr`, `images_per_sec`, `eta_secs`.
        """
        secs = round(self._clock() - self._start, 2)
        self._write({**values, "total_steps": self._total_steps, "secs": secs})
        eta_secs = values["eta_secs"]
        eta = "" if eta_secs is None else f"  ETA {int(eta_secs // 60)}:{int(eta_secs % 60):02d}"
        text = (
            f"stage {values['stage'] + 1}"
            f"  {values['img_size']} px  epoch {values['epoch']:.2f}  loss {values['loss']:.4f}"
            f"  top-1 {values['top_1_train']:.4f}  lr {values['lr']:.2e}"
            f"  {values['images_per_sec']:.1f} images/s{eta}"
        )
        if self._enabled and self._console.is_terminal:
            self._draw(values["step"], text)
        else:
            self.say(f"step {values['step']}/{self._total_steps}  {text}")

    def _draw(self, step: int, text: str) -> None:
        if self._bar is None:
            columns = BarColumn(20), TaskProgressColumn(), TextColumn("{task.description}")
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._bar.add_task("", total=self._total_steps)
        self._bar.update(self._bar.task_ids[0], completed=step, description=text)
        self._bar.start()  # after its first text; does nothing once it runs

    def evaluation(self, step: int, epoch: float, weights: str, result: Result) -> None:
        """A result of evaluating `weights`, which is `raw` or `ema`."""
        self._write(
            {
                "step": step,
                "epoch": round(epoch, 4),
                "weights": weights,
                **{f"eval_{key}": value for key, value in result.items()},
                "secs": round(self._clock() - self._start, 2),
            }
        )
        found = (
            f"no result: the logits of {result['not_finite']} of {result['examples']} images are "
            "not finite numbers"
            if result["top_1"] is None
            else f"top-1 {result['top_1']:.4f}  top-5 {result['top_5']:.4f}"
        )
        loss = "" if result["loss"] is None else f"  loss {result['loss']:.4f}"
        self.say(f"evaluation at epoch {epoch:.2f} ({weights} weights): {found}{loss}")

    def summary(self, values: dict[str, Any]) -> None:
        """The result of the training; its file is complete or absent."""
        if self._enabled:
            path = self._path.with_name(SUMMARY_FILE)
            write_text(path, json.dumps(values, indent=2) + "\n")

    def _write(self, values: dict[str, Any]) -> None:
        if not self._enabled:
            return
        with self._path.open("a") as file:
            file.write(json.dumps(values) + "\n")
        with self._events.as_default(step=values["step"]):
            prefix = f"{values['weights']}/" if "weights" in values else "train/"
            for key, value in values.items():
                if isinstance(value, (int, float)) and key not in ("step", "total_steps", "secs"):
                    tf.summary.scalar(prefix + key, value)
        self._events.flush()
