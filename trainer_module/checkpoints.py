"""Checkpoints of the whole training state, written beside training and visible only when complete.

A checkpoint is one uncompressed `.npz` file. It gets its name by rename after all of it is
written, so a kill at any moment leaves the previous checkpoint the newest.

Why not tf.train.Checkpoint: it writes two files and an index of checkpoints, which no single
rename publishes, and it writes while training waits. Here training waits for a copy in memory
only. Numpy's format is read anywhere, without TensorFlow.
"""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tensorflow as tf

from preprocessing.errors import InputError
from preprocessing.files import disk_full
from preprocessing.files.new_file import new_file, remove_unfinished
from trainer_module import checkpoint_files
from trainer_module.made_with import MadeWith


class Checkpoints:
    """The checkpoints of one training."""

    def __init__(self, model_dir: str, variables: Mapping[str, tf.Variable], keep: int):
        """Looks at what is there.

        Args:
          model_dir: the training's folder.
          variables: what is saved and restored, by name.
          keep: newest checkpoints that are kept.
        """
        self._model_dir = Path(model_dir)
        self._variables = dict(variables)
        self._keep = keep
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._pending: Future[None] | None = None
        remove_unfinished(self._model_dir / checkpoint_files.FOLDER)

    def restore(self, path: Path) -> None:
        """Gives the variables the values of a checkpoint.

        Raises:
          InputError: the checkpoint is damaged, or of another model or optimizer.
        """
        values = checkpoint_files.read(path)
        self._check_shapes(path, values)
        for name, variable in self._variables.items():
            variable.assign(values[name])

    def save(self, step: int, made_with: MadeWith) -> None:
        """Saves the state as it is now; writing goes on in a thread.

        Args:
          step: steps that were taken.
          made_with: what it is made with, at its position.

        Raises:
          OSError: the checkpoint before this one could not be written.
        """
        self.wait()
        # A copy: the variables change while the thread writes.
        values = {name: np.array(value.numpy()) for name, value in self._variables.items()}
        values[checkpoint_files.MADE_WITH] = np.array(made_with.to_json())
        self._pending = self._writer.submit(self._write, step, values)

    def check(self) -> None:
        """Looks whether the last checkpoint could be written; does not wait for it.

        Raises:
          OSError: it could not be written.
        """
        if self._pending is not None and self._pending.done():
            self.wait()

    def wait(self) -> None:
        """Waits until the last checkpoint is on disk.

        Raises:
          OSError: it could not be written.
        """
        if self._pending is not None:
            self._pending.result()
            self._pending = None

    def remove_all(self) -> None:
        """Removes all checkpoints, for a training that begins anew."""
        for found in checkpoint_files.find(self._model_dir):
            found.path.unlink()

    def _write(self, step: int, values: Mapping[str, np.ndarray]) -> None:
        path = checkpoint_files.path_of(self._model_dir, step)
        with disk_full.naming(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        with new_file(path, durable=True) as temporary:
            checkpoint_files.write(temporary, values)
        for found in checkpoint_files.find(self._model_dir)[: -self._keep]:
            found.path.unlink()

    def _check_shapes(self, path: Path, values: Mapping[str, np.ndarray]) -> None:
        saved = {name: value.shape for name, value in values.items()}
        wanted = {name: tuple(value.shape) for name, value in self._variables.items()}
        differing = sorted(
            name for name in saved.keys() | wanted.keys() if saved.get(name) != wanted.get(name)
        )
        if differing:
            name = differing[0]
            raise InputError(
                f"checkpoint {path} does not fit these settings: {name} has shape "
                f"{saved.get(name)} there, the settings need {wanted.get(name)}; use another "
                "model_dir, or the settings that it was made with"
            )
