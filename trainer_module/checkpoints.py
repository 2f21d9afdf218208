"""Checkpoints of the whole training state, written beside training and visible only when complete.

A checkpoint is one uncompressed `.npz` file. It gets its name by rename after all of it is
written, so a kill at any moment leaves the previous checkpoint the newest.

Why not tf.train.Checkpoint: it writes two files and an index of checkpoints, which no single
rename publishes, and it writes while training waits. Here training waits for a copy in memory
only. Numpy's format is read anywhere, without TensorFlow.
"""

import os
import re
import zipfile
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tensorflow as tf

from preprocessing.errors import InputError
from preprocessing.files.new_file import new_file, remove_unfinished

FOLDER = "checkpoints"
# Twelve digits, so that names sort like steps.
_NAME = re.compile(r"step-\d{12}\.npz")


class Checkpoints:
    """The checkpoints of one training."""

    def __init__(self, model_dir: str, variables: Mapping[str, tf.Variable], keep: int):
        """Looks at what is there.

        Args:
          model_dir: the training's folder.
          variables: what is saved and restored, by name.
          keep: newest checkpoints that are kept.
        """
        self._folder = Path(model_dir) / FOLDER
        self._variables = dict(variables)
        self._keep = keep
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._pending: Future[None] | None = None
        remove_unfinished(self._folder)

    def newest(self) -> Path | None:
        """The newest complete checkpoint."""
        found = self._complete()
        return found[-1] if found else None

    def restore(self) -> bool:
        """Restores the newest checkpoint; whether there was one.

        Raises:
          InputError: the checkpoint is damaged, or of another model or optimizer.
        """
        path = self.newest()
        if path is None:
            return False
        try:
            with np.load(path) as file:
                values = {name: file[name] for name in file.files}
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise InputError(
                f"checkpoint {path} is damaged ({error}); remove it, and training goes on from "
                "the one before"
            ) from error
        self._check_shapes(path, values)
        for name, variable in self._variables.items():
            variable.assign(values[name])
        return True

    def save(self, step: int) -> None:
        """Saves the state as it is now; writing goes on in a thread.

        Raises:
          OSError: the checkpoint before this one could not be written.
        """
        self.wait()
        # A copy: the variables change while the thread writes.
        values = {name: np.array(value.numpy()) for name, value in self._variables.items()}
        self._pending = self._writer.submit(self._write, step, values)

    def wait(self) -> None:
        """Waits until the last checkpoint is on disk.

        Raises:
          OSError: it could not be written.
        """
        if self._pending is not None:
            self._pending.result()
            self._pending = None

    def _complete(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        names = filter(_NAME.fullmatch, sorted(os.listdir(self._folder)))
        return [self._folder / name for name in names]

    def _write(self, step: int, values: Mapping[str, np.ndarray]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"step-{step:012d}.npz"
        with new_file(path, durable=True) as temporary, temporary.open("wb") as file:
            np.savez(file, **values)
        for path in self._complete()[: -self._keep]:
            path.unlink()

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
