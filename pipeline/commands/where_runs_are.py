"""The options of all commands that read runs: which output folder, which store, which records."""

import argparse
import sys

from lineage.reading.opening import open_runs
from lineage.reading.source import RunSource
from pipeline import store_uri


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument(
        "--output_dir", metavar="DIR", help="output folder of the runs (the only one in runs/)"
    )
    parser.add_argument(
        "--metadata_uri",
        metavar="URI",
        help="where ML Metadata is (as the runs had it): sqlite://PATH, mysql://, postgresql:// or "
        "grpc://",
    )
    parser.add_argument(
        "--records",
        metavar="DIR",
        help="folder with records of runs (lineage.json): they are read, and no ML Metadata",
    )


def open_source(args: argparse.Namespace) -> RunSource:
    """Opens what the options say."""
    if args.metadata_uri:
        store_uri.refuse_password(args.metadata_uri, "--metadata_uri")
    return open_runs(args.output_dir, args.metadata_uri, args.records)


def tell_notes(source: RunSource) -> None:
    """Says on standard error what a person should know of what was read."""
    for note in [*source.notes, *source.unreadable]:
        print(f"effnet: {note}", file=sys.stderr)
