"""`effnet train`: the trainer alone, on records."""

import argparse

from trainer_module import __main__ as trainer
from trainer_module import flags


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the sub-command, with a flag for every training setting."""
    parser = commands.add_parser(
        "train",
        help="train on TFRecords, without the pipeline around it",
        usage="effnet train --data_dir DIR --model_dir DIR [--FLAG VALUE]...",
        description="Trains EfficientNetV2 on the TFRecords train-* and eval-* (or validation-*) "
        "of a folder. Started again with the same --model_dir, a training goes on. Exit status: "
        "0 done, 2 the input was wrong, 3 the training failed.",
        allow_abbrev=False,
    )
    flags.add_flags(parser)
    parser.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Runs the training, with all its ranks."""
    return trainer.run(flags.from_values(vars(args)))
