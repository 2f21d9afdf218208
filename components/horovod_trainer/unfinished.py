"""Trainings that were cut off: one folder each, beside the node's outputs."""

import hashlib
import itertools
import json
from collections.abc import Sequence
from pathlib import Path

from trainer_module import checkpoint_files, continuation, effects, made_with
from trainer_module.config import TrainConfig
from trainer_module.effects import Effect

FOLDER = "unfinished"
_KEY_CHARS = 12


def find_folder(root: Path, inputs: Sequence[str], config: TrainConfig) -> Path:
    """The folder of a training.

    Args:
      root: where the folders lie.
      inputs: digests of what it depends on beside the settings.
      config: its settings; what belongs to the job alone makes no difference.

    Returns:
      that of the training on the same inputs that was cut off and can be gone on with, of several
      the one that came furthest; else one without checkpoints.
    """
    beginning = prefix(inputs)
    settings = made_with.settings_of(config)
    reached = [
        (newest.made_with.images, folder)
        for folder in sorted(root.glob(f"{beginning}-*"))
        if (newest := checkpoint_files.newest(folder)) is not None
        and newest.made_with is not None
        and not continuation.changed_settings(newest.made_with.settings, settings)
    ]
    if reached:
        return max(reached)[1]
    names = effects.names(TrainConfig, Effect.WEIGHTS, Effect.POSITION)
    name = f"{beginning}-{_key([json.dumps({name: settings[name] for name in names})])}"
    folders = (root / (f"{name}-{n}" if n else name) for n in itertools.count())
    return next(folder for folder in folders if _is_free(folder))


def prefix(inputs: Sequence[str]) -> str:
    """How the names of the folders of trainings on the same inputs begin, before a hyphen."""
    return _key(inputs)


def _is_free(folder: Path) -> bool:
    """Whether no checkpoint can be read there; one that is damaged is for a person to mend."""
    newest = checkpoint_files.newest(folder)
    return newest is None or newest.made_with is None


def _key(parts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_KEY_CHARS]
