"""`effnet demo-data`: a small real corpus as an image folder."""

import argparse
from pathlib import Path

from preprocessing import failures


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the sub-command."""
    parser = commands.add_parser("demo-data", help="write a small real corpus as an image folder")
    parser.add_argument("corpus", choices=["digits"], help="1,797 handwritten digits, 10 classes")
    parser.add_argument("folder", metavar="DIR", help="gets one sub-folder a class")
    parser.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Writes the corpus and says how many images it has."""
    from pipeline.demo_data import write_digits  # brings scikit-learn, which takes seconds

    count = write_digits(Path(args.folder))
    print(f"{count} images in {args.folder}")
    return failures.DONE
