"""The command line: `effnet`."""

import argparse
import importlib.metadata
import os
import sys
import traceback
from collections.abc import Sequence

from pipeline import failures
from pipeline.commands import bless, demo_data, evaluate, predict, run, train
from preprocessing.errors import InputError
from trainer_module import flags

# What --version tells, beside our own.
_SHOWN_PACKAGES = ("tensorflow", "tfx", "apache-beam", "horovod")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a sub-command.

    Args:
      argv: the arguments, those of the process by default.

    Returns:
      The exit status: 0 done, 1 the pipeline said no, 2 the input was wrong, 3 a step failed.
    """
    try:
        args, unknown = _parser().parse_known_args(argv)
        if unknown:
            raise flags.unknown_argument(unknown[0], getattr(args, "flag_names", []))
        return args.function(args)
    except InputError as error:
        print(f"effnet: {error}", file=sys.stderr)
        return failures.BAD_INPUT
    except KeyboardInterrupt:
        print("effnet: interrupted", file=sys.stderr)
        return failures.INTERRUPTED
    except BrokenPipeError:
        # The reader (`effnet ... | head`) has seen enough. Python would complain at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return failures.DONE
    except Exception as error:
        traceback.print_exc()
        print(f"effnet: {failures.one_line(error)}", file=sys.stderr)
        return failures.STEP_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = flags.Parser(
        prog="effnet", description="Image classification from a folder of images to a served model."
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in (demo_data, run, train, predict, evaluate, bless):
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
