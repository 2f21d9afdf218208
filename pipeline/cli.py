"""The command line: `effnet`."""

import argparse
import importlib.metadata
import sys
from collections.abc import Sequence

from pipeline.commands import (
    bless,
    compile,
    demo_data,
    evaluate,
    lineage,
    predict,
    prune,
    run,
    runs,
    submit,
    train,
)
from preprocessing import command_line

# In the order in which --help lists them.
_COMMANDS = (demo_data, run, train, predict, evaluate, bless, runs, lineage, prune, compile, submit)
# What --version tells, beside our own.
_SHOWN_PACKAGES = ("tensorflow", "tfx", "apache-beam", "horovod")


_EPILOG = """\
example:
  effnet demo-data digits demo/digits       write a small corpus of real pictures
  effnet run configs/digits.yaml            from the pictures to a model that is served
  effnet predict runs/digits demo/digits/7  ask the model

exit status:
  0  done
  1  the pipeline ran and said no: the model was not blessed, and so not pushed
  2  the input was wrong; one line says what, and how to mend it
  3  a step failed

`effnet COMMAND --help` explains a command.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a sub-command.

    Args:
      argv: the arguments, those of the process by default.

    Returns:
      The exit status: 0 done, 1 the pipeline said no, 2 the input was wrong, 3 a step failed.
    """
    return command_line.run_command("effnet", lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    parser, commands = _parsers()
    args, unknown = parser.parse_known_args(argv)
    if unknown:
        raise command_line.unknown_argument(
            unknown[0], commands.choices[args.command].option_names()
        )
    return args.function(args)


def _parsers() -> tuple[command_line.Parser, argparse._SubParsersAction]:
    """The parser of the whole command line, and those of the commands."""
    parser = command_line.Parser(
        prog="effnet",
        description="Image classification from a folder of images to a served model.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(
        metavar="COMMAND", dest="command", required=True, title="commands"
    )
    for command in _COMMANDS:
        command.add_parser(commands)
    return parser, commands


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
