"""Options of Beam on a command line, checked before anything runs."""

import contextlib
import difflib
import io
from collections.abc import Sequence

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from preprocessing import command_line
from preprocessing.errors import InputError

# Other runners have options that only their servers know.
_KNOWS_ALL_OPTIONS = (None, "", "DirectRunner")


def check(arguments: Sequence[str], own: Sequence[str]) -> None:
    """Refuses what Beam itself would pass over, or end the process for.

    Args:
      arguments: what is left of a command line when its own flags are taken.
      own: those flags, one of which a person may have meant.

    Raises:
      InputError: an option is unknown, or Beam does not take its value.
    """
    unknown: list[str] = []
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            options = PipelineOptions(list(arguments))
            known = options.get_all_options(
                add_extra_args_fn=lambda parser: unknown.extend(
                    parser.parse_known_args(list(arguments))[1]
                )
            )
    except SystemExit:  # how argparse ends
        problem = said.getvalue().strip().rpartition("error: ")[2]
        raise InputError(f"command line: options of Beam: {problem}") from None
    if not unknown:
        return
    misspelt = difflib.get_close_matches(_name(unknown[0]), own, n=1, cutoff=0.8)
    if misspelt or options.view_as(StandardOptions).runner in _KNOWS_ALL_OPTIONS:
        raise command_line.unknown_argument(unknown[0], [*own, *known])


def _name(argument: str) -> str:
    return argument.partition("=")[0].removeprefix("--")
