"""Checkpoints of the whole training state, written so that a kill never costs more than one."""

import dataclasses
from pathlib import Path

import tensorflow as tf

from preprocessing.errors import InputError
from trainer_module.train_step import TrainState

FOLDER = "checkpoints"


@dataclasses.dataclass
class Checkpoints:
    """The checkpoints of one training.

    Attributes:
      model_dir: the training's folder.
      state: what is saved and restored.
      keep: newest checkpoints that are kept.
    """

    model_dir: str
    state: TrainState
    keep: int

    def __post_init__(self) -> None:
        """Looks for checkpoints that are there."""
        # TensorFlow writes the data first and then the small file that names the newest
        # checkpoint, by rename: a kill in the middle leaves the previous one the newest.
        self._manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(**self.state.variables()),
            str(Path(self.model_dir) / FOLDER),
            max_to_keep=self.keep,
            checkpoint_name="step",
        )

    def restore(self) -> int | None:
        """Restores the newest checkpoint.

        Returns:
          its step, or None where there is no checkpoint.

        Raises:
          InputError: the checkpoint is of another model or optimizer.
        """
        newest = self._manager.latest_checkpoint
        if newest is None:
            return None
        self._check_shapes(newest)
        self._manager.checkpoint.restore(newest).expect_partial()
        return int(self.state.step.numpy())

    def save(self) -> str:
        """Saves the state, removes the oldest checkpoints, returns the new one's path."""
        return self._manager.save(checkpoint_number=int(self.state.step.numpy()))

    def _check_shapes(self, path: str) -> None:
        suffix = "/.ATTRIBUTES/VARIABLE_VALUE"
        saved = {
            key.removesuffix(suffix): list(shape)
            for key, shape in tf.train.load_checkpoint(path).get_variable_to_shape_map().items()
            if key.endswith(suffix) and not key.startswith("save_counter")
        }
        wanted = {name: value.shape.as_list() for name, value in self.state.variables().items()}
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
