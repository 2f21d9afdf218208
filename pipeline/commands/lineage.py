"""`effnet lineage`: where a model came from, and where images went."""

import argparse

from lineage.reading import finding
from lineage.views import run_text
from pipeline.commands import where_runs_are
from preprocessing import failures


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the sub-command."""
    parser = commands.add_parser(
        "lineage",
        help="where a model came from, and which models an image went into",
        description="Says of a run, a served version or an artifact: which data, code, settings, "
        "versions and baseline it came from, how it was evaluated, and where it was pushed. Exit "
        "status: 0 done, 2 there is no such thing.",
    )
    parser.add_argument(
        "of",
        metavar="WHAT",
        nargs="?",
        default=finding.LATEST,
        help=f"{finding.LATEST} (the default), the folder of a served version, a run, the number "
        "or folder of an artifact, or the beginning of the digest of a dataset or a model",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="(%(default)s)")
    where_runs_are.add_options(parser)
    parser.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Prints the lineage."""
    source = where_runs_are.open_source(args)
    found = finding.find(source, args.of)
    where_runs_are.tell_notes(source)
    print(found.run.to_json() if args.format == "json" else run_text.text(found.run))
    return failures.DONE
