"""The files of checkpoints: which there are, and what each was made with.

Nothing here imports TensorFlow.
"""

import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from preprocessing.errors import InputError
from trainer_module.made_with import MadeWith

FOLDER = "checkpoints"
# The entry of a checkpoint that is no variable.
MADE_WITH = "made_with"
# Twelve digits, so that names sort like steps.
_NAME = re.compile(r"step-\d{12}\.npz")
# What numpy raises for a file that is truncated or no checkpoint.
_DAMAGES = (OSError, ValueError, KeyError, zipfile.BadZipFile)


class Found(NamedTuple):
    """A checkpoint; `made_with` is None where it does not say, or cannot be read."""

    path: Path
    made_with: MadeWith | None


def path_of(model_dir: str | Path, step: int) -> Path:
    """Where the checkpoint after `step` steps lies."""
    return Path(model_dir) / FOLDER / f"step-{step:012d}.npz"


def find(model_dir: str | Path) -> list[Found]:
    """The complete checkpoints of a training, the newest last.

    They are ordered by the images that they have seen: where the batch was changed in between, a
    later one may have fewer steps. One that does not say counts as the newest.
    """
    folder = Path(model_dir) / FOLDER
    if not folder.is_dir():
        return []
    names = filter(_NAME.fullmatch, sorted(os.listdir(folder)))
    found = [Found(folder / name, _made_with(folder / name)) for name in names]
    return sorted(found, key=_position)


def newest(model_dir: str | Path) -> Found | None:
    """The newest checkpoint of a training, None where there is none."""
    found = find(model_dir)
    return found[-1] if found else None


def write(path: Path, values: Mapping[str, np.ndarray]) -> None:
    """Writes arrays by name as an uncompressed `.npz` file.

    As `np.savez` does, which leaves its archive open where a write fails, so that Python complains
    on the terminal when it throws it away.

    Raises:
      OSError: it could not be written.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, value in values.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, value, allow_pickle=False)


def read(path: Path) -> dict[str, np.ndarray]:
    """The variables of a checkpoint by name.

    Raises:
      InputError: it is damaged.
    """
    try:
        with np.load(path) as file:
            return {name: file[name] for name in file.files if name != MADE_WITH}
    except _DAMAGES as error:
        raise InputError(
            f"checkpoint {path} is damaged ({error}); remove it, and training goes on from the one "
            "before"
        ) from error


def _made_with(path: Path) -> MadeWith | None:
    try:
        with np.load(path) as file:
            return MadeWith.from_json(str(file[MADE_WITH]))
    except (*_DAMAGES, TypeError):
        return None


def _position(found: Found) -> tuple[bool, int]:
    made_with = found.made_with
    return made_with is None, made_with.images if made_with else 0
