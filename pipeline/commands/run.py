"""`effnet run`: the whole pipeline on this machine."""

import argparse
from pathlib import Path

from pipeline import config_file, preflight, session


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the sub-command."""
    parser = commands.add_parser(
        "run",
        help="run the whole pipeline on this machine",
        description="Runs the whole pipeline on this machine. Exit status: 0 the model was "
        "pushed, 1 it was not blessed, 2 the input was wrong, 3 a step failed.",
    )
    parser.add_argument("config", metavar="CONFIG", help="YAML file")
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        dest="overrides",
        help="override a value, as in trainer.max_epochs=3; can be given again",
    )
    parser.add_argument(
        "--output_dir", metavar="DIR", help="folder of the results (runs/<name of the config>)"
    )
    parser.add_argument(
        "--verbose", action="store_true", help="show what the libraries print, instead of logs"
    )
    parser.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Checks, then runs; nothing heavy is imported before the checks are done."""
    config = config_file.load(args.config, args.overrides)
    output_dir = Path(args.output_dir or Path("runs") / Path(args.config).stem).absolute()
    data = preflight.check(config, output_dir)
    return session.run(config, data, output_dir, args.verbose)
