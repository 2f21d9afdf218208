"""`TrainConfig` as command-line flags."""

import argparse
from collections.abc import Sequence

from preprocessing import command_line
from trainer_module.config import TrainConfig


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds a flag for every field of `TrainConfig`; a boolean one needs no value."""
    command_line.add_flags(parser, TrainConfig)


def parse(arguments: Sequence[str]) -> TrainConfig:
    """Reads flags.

    Raises:
      InputError: an unknown flag, or a value that is refused; one line.
    """
    parser = command_line.Parser(
        prog="python -m trainer_module",
        description="Trains EfficientNetV2 on TFRecords.",
        allow_abbrev=False,
    )
    add_flags(parser)
    values, unknown = parser.parse_known_args(arguments)
    if unknown:
        raise command_line.unknown_argument(unknown[0], parser.option_names())
    return from_values(vars(values))


def from_values(values: dict[str, str]) -> TrainConfig:
    """A config of flags' texts.

    Raises:
      InputError: a value is refused; one line.
    """
    return command_line.read_flags(TrainConfig, values)
