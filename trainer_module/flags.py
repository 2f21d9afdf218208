"""`TrainConfig` as command-line flags, and back."""

import argparse
import difflib
from collections.abc import Sequence
from typing import NoReturn

import yaml

from preprocessing.errors import InputError
from trainer_module.config import TrainConfig
from trainer_module.settings import read_settings
from trainer_module.yaml_values import parse as parse_yaml


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, like those of all other input."""

    def error(self, message: str) -> NoReturn:
        """Raises InputError instead of printing the usage."""
        raise InputError(f"command line: {message}")


def names() -> list[str]:
    """The names of all flags, without the dashes."""
    return list(TrainConfig.model_fields)


def unknown_argument(argument: str, known: Sequence[str]) -> InputError:
    """The error of an argument that is not among the flags `known`; names the closest."""
    name = argument.split("=")[0].removeprefix("--")
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"; did you mean --{close[0]}?" if close else "; see --help"
    return InputError(f"command line: unknown argument {argument!r}{hint}")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds a flag for every field of `TrainConfig`; a boolean one needs no value."""
    for name, field in TrainConfig.model_fields.items():
        text = " ".join((field.description or "").split())
        if field.default_factory is None:  # else the text says what the default follows from
            text += f" Default: {field.default!r}."
        parser.add_argument(
            f"--{name}",
            metavar="VALUE",
            default=argparse.SUPPRESS,
            help=text.replace("%", "%%"),
            **({"nargs": "?", "const": "true"} if field.annotation is bool else {}),
        )


def parse(arguments: Sequence[str]) -> TrainConfig:
    """Reads flags.

    Raises:
      InputError: an unknown flag, or a value that is refused; one line.
    """
    parser = Parser(
        prog="python -m trainer_module",
        description="Trains EfficientNetV2 on TFRecords.",
        allow_abbrev=False,
    )
    add_flags(parser)
    values, unknown = parser.parse_known_args(arguments)
    if unknown:
        raise unknown_argument(unknown[0], names())
    return from_values(vars(values))


def from_values(values: dict[str, str]) -> TrainConfig:
    """A config of flags' texts, which are read as YAML values unless the field is a text itself.

    Raises:
      InputError: a value is refused.
    """
    texts = {name for name, field in TrainConfig.model_fields.items() if field.annotation is str}
    typed = {
        name: value if name in texts else parse_yaml(value, f"command line: --{name}")
        for name, value in values.items()
    }
    return read_settings(TrainConfig, typed, "command line")


def to_arguments(config: TrainConfig) -> list[str]:
    """The flags that give `config`."""
    return [
        f"--{name}={value if isinstance(value, str) else yaml.safe_dump(value).split()[0]}"
        for name, value in config.model_dump(mode="json").items()
    ]
