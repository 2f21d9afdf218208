"""The command line: `effnet`."""

import argparse
import importlib.metadata
import sys
from collections.abc import Sequence

from pipeline.commands import bless, demo_data, evaluate, lineage, predict, run, runs, train
from preprocessing import command_line

# What --version tells, beside our own.
_SHOWN_PACKAGES = ("tensorflow", "tfx", "apache-beam", "horovod")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a sub-command.

    Args:
      argv: the arguments, those of the process by default.

    Returns:
      The exit status: 0 done, 1 the pipeline said no, 2 the input was wrong, 3 a step failed.
    """
    return command_line.run_command("effnet", lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    args, unknown = _parser().parse_known_args(argv)
    if unknown:
        raise command_line.unknown_argument(unknown[0], getattr(args, "flag_names", []))
    return args.function(args)


def _parser() -> argparse.ArgumentParser:
    parser = command_line.Parser(
        prog="effnet", description="Image classification from a folder of images to a served model."
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in (demo_data, run, train, predict, evaluate, bless, runs, lineage):
        command.add_parser(commands)
    return parser


def _version() -> str:
    packages = []
    for name in _SHOWN_PACKAGES:
        try:
            packages.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            packages.append(f"no {name}")
    return f"effnet {importlib.metadata.version('effnet-tfx')} ({', '.join(packages)})"


if __name__ == "__main__":
    sys.exit(main())
