"""`effnet predict`: what an exported model says about pictures."""

import argparse
import csv
import logging
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from components.progress import LOGGER_NAME
from pipeline.inference import view
from pipeline.inference.classifier import BATCH_SIZE, Classifier, batches
from pipeline.inference.find_model import find_saved_model
from pipeline.inference.picture_files import STANDARD_INPUT, check_paths, list_files
from pipeline.progress_display import ProgressDisplay, reports_shown_by
from preprocessing import failures
from preprocessing.errors import InputError

# More pictures than these are listed without thumbnails.
MAX_THUMBNAILS = 20


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the sub-command."""
    parser = commands.add_parser(
        "predict",
        help="classify images with an exported model",
        description="Classifies images. Pictures that cannot be decoded are listed as such. "
        "Exit status: 0 done, 2 the model does not load or no picture could be read.",
    )
    parser.add_argument(
        "model", metavar="MODEL", help="SavedModel, folder of versions, or a run's output folder"
    )
    parser.add_argument(
        "images",
        metavar="IMAGE|DIR",
        nargs="+",
        help="files; folders are walked; - is a picture on standard input",
    )
    parser.add_argument(
        "--top_k",
        type=int,
        default=5,
        help="classes an image, as many as the model gives at most (%(default)s)",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object a line")
    form.add_argument(
        "--output",
        metavar="FILE",
        help="write a table, .parquet or .csv, for any number of images; those that cannot be "
        "read are listed beside it, in FILE with the ending .bad.csv",
    )
    parser.add_argument(
        "--num_workers",
        type=int,
        default=1,
        help="with --output: processes, each with a model of its own; one already uses all cores "
        "(%(default)s)",
    )
    parser.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Prints one line per picture, in the order of the arguments, or writes a table."""
    for name in ("top_k", "num_workers"):
        if getattr(args, name) < 1:
            raise InputError(f"--{name} must be 1 or more. Received: {getattr(args, name)}")
    if args.output is not None and args.num_workers > 1 and STANDARD_INPUT in args.images:
        raise InputError(
            f"{STANDARD_INPUT} (standard input) goes to one process; give it without --num_workers"
        )
    check_paths(args.images)
    model, files = find_saved_model(args.model), list_files(args.images)
    if args.output is not None:
        return _write(args, model, files)
    classifier, total, answered = Classifier.load(model), 0, 0
    console = Console(highlight=False)
    pictures = console.is_terminal and console.color_system is not None and not args.json
    for group in batches(files, BATCH_SIZE):
        predictions = classifier.predict(group, args.top_k)
        for prediction in predictions[: max(0, MAX_THUMBNAILS - total)] if pictures else ():
            view.show(console, prediction)
        rest = predictions[max(0, MAX_THUMBNAILS - total) :] if pictures else predictions
        if rest:
            lines = [p.to_json() for p in rest] if args.json else view.table(rest)
            print("\n".join(lines), flush=True)
        total += len(predictions)
        answered += sum(prediction.error is None for prediction in predictions)
    if not answered:
        raise InputError(f"nothing to predict: none of {total} files is a readable picture")
    return failures.DONE


def _write(args: argparse.Namespace, model: Path, files: Iterable[str]) -> int:
    # Beam is not needed for a few pictures, and takes seconds to import.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of Google's libraries, about Python 3.10
        from pipeline.inference import bulk

    output = Path(args.output)
    logging.getLogger("apache_beam").setLevel(logging.WARNING)
    progress = logging.getLogger(LOGGER_NAME)
    progress.propagate = False  # the lines below are for the person, and there is no log
    with ProgressDisplay(Console(file=sys.stderr)) as display, reports_shown_by(display.update):
        rows = bulk.run(model, files, output, args.top_k, args.num_workers)
    bad = bulk.bad_file(output)
    with bad.open(encoding="utf-8", newline="") as file:
        unreadable = sum(1 for _ in csv.reader(file)) - 1
    print(f"{rows} predictions in {output}")
    print(f"{unreadable} files without an answer, listed in {bad}")
    if not rows:
        raise InputError(f"nothing to predict: none of {unreadable} files is a readable picture")
    return failures.DONE
