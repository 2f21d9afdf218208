"""The settings of a training as its ranks read them: `config.json` in its folder.

The supervisor writes it before it starts the ranks, with what it found out (as the micro-batches
that fit in memory); so a rank's command line is its folder, and what a training ran with stays
beside it.
"""

import json
from pathlib import Path

from preprocessing.errors import InputError
from preprocessing.files import new_file
from preprocessing.settings import read_settings
from trainer_module.config import TrainConfig

FILE = "config.json"


def write(config: TrainConfig) -> None:
    """Writes the settings into `config.model_dir`, which exists."""
    new_file.write_text(_path(config.model_dir), config.model_dump_json(indent=2) + "\n")


def read(model_dir: str) -> TrainConfig:
    """The settings of the training in a folder, wherever the folder lies now."""
    path = _path(model_dir)
    config = parse(path.read_text(encoding="utf-8"), str(path))
    return config.model_copy(update={"model_dir": model_dir})


def parse(text: str, source: str) -> TrainConfig:
    """Settings as `write` writes them.

    Args:
      text: a JSON object.
      source: where it comes from, for the message.

    Raises:
      InputError: it is no such object, or a setting is refused.
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise InputError(f"{source}: must be a JSON object of settings ({error})") from None
    return read_settings(TrainConfig, values, source)


def text(model_dir: str) -> str | None:
    """The file's content, None where there is none."""
    path = _path(model_dir)
    return path.read_text(encoding="utf-8") if path.exists() else None


def put_back(model_dir: str, earlier: str | None) -> None:
    """Makes the file what `text` gave before, after settings that were refused."""
    if earlier is None:
        _path(model_dir).unlink(missing_ok=True)
    else:
        new_file.write_text(_path(model_dir), earlier)


def _path(model_dir: str) -> Path:
    return Path(model_dir) / FILE
