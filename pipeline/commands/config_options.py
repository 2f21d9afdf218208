"""The arguments of commands that take a pipeline's config."""

import argparse


def add_options(parser: argparse.ArgumentParser, example: str) -> None:
    """Adds CONFIG and `--set`, whose values `config_file.load` takes.

    Args:
      parser: of the command.
      example: of an override, for the help.
    """
    parser.add_argument("config", metavar="CONFIG", help="YAML file")
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        dest="overrides",
        help=f"override a value, as in {example}; can be given again",
    )
