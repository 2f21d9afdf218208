"""`effnet lineage`: where a model came from, and where images went."""

import argparse
import json
import sys

from lineage.compare.differences import compare
from lineage.images import answer, downstream, listing
from lineage.reading import finding, opening
from lineage.reading.source import RunSource
from lineage.record.run import Run
from lineage.store.import_records import import_records
from lineage.views import compare_text, downstream_text, image_text, run_text
from pipeline import store_uri
from pipeline.commands import where_runs_are
from pipeline.mlmd import connection
from preprocessing import failures
from preprocessing.errors import InputError

TEXT, JSON, HTML = "text", "json", "html"


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the sub-command."""
    parser = commands.add_parser(
        "lineage",
        help="where a model came from, and which models an image went into",
        description="Says of a run, a served version or an artifact: which data, code, settings, "
        "versions and baseline it came from, how it was evaluated, and where it was pushed. Exit "
        "status: 0 done, 2 there is no such thing, 3 a dataset could not be searched.",
    )
    _add_questions(parser)
    parser.add_argument(
        "--import",
        metavar="FILE|DIR",
        nargs="+",
        dest="imported",
        help="fill the store with the runs of these records (lineage.json), or of those in these "
        "folders; what is there already stays as it is",
    )
    parser.add_argument(
        "--format",
        choices=(TEXT, JSON, HTML),
        default=TEXT,
        help="html is one page with pictures, of a run or with --why (%(default)s)",
    )
    where_runs_are.add_options(parser)
    parser.set_defaults(function=run)


def _add_questions(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "of",
        metavar="WHAT",
        nargs="?",
        help=f"{finding.LATEST} (the default), the folder of a served version, a run, the number "
        "or folder of an artifact, or the beginning of the digest of a dataset or a model",
    )
    parser.add_argument(
        "--downstream", action="store_true", help="what was made from it, instead of from what"
    )
    parser.add_argument(
        "--images",
        action="store_true",
        help="the images that it was trained and evaluated on, a line each",
    )
    parser.add_argument(
        "--image",
        metavar="FILE|SHA256|NAME",
        help="the datasets that hold this image, and the models trained or evaluated on it",
    )
    parser.add_argument(
        "--models_to_retrain",
        action="store_true",
        help="with --image: what it obliges to if the image has to be removed",
    )
    parser.add_argument(
        "--why",
        metavar=("A", "B"),
        nargs=2,
        help="what can explain that run B is worse than run A, the likeliest first",
    )


def run(args: argparse.Namespace) -> int:
    """Prints the answer."""
    _check(args)
    if args.imported is not None:
        return _import(args)
    source = where_runs_are.open_source(args)
    if args.image is not None:
        return _image(source, args)
    if args.why is not None:
        return _why(source, args)
    found = finding.find(source, args.of or finding.LATEST)
    where_runs_are.tell_notes(source)
    if args.images:
        _images(found, args.format)
    elif args.downstream:
        told = downstream.of(found, source.lines())
        is_text = args.format == TEXT
        print(downstream_text.text(told) if is_text else _json(downstream_text.as_json(told)))
    else:
        print(_told(found.run, args.format))
    return failures.DONE


def _told(record: Run, form: str) -> str:
    if form == HTML:
        from lineage.views import run_html  # what draws pictures takes its time to import

        return run_html.page(record)
    return run_text.text(record) if form == TEXT else record.to_json().rstrip()


def _import(args: argparse.Namespace) -> int:
    if args.metadata_uri:
        store_uri.refuse_password(args.metadata_uri, "--metadata_uri")
    store = opening.store_to_fill(args.output_dir, args.metadata_uri)
    done = import_records(connection.open_store(store), args.imported)
    print(
        f"runs imported into ML Metadata at {store.uri}: {len(done.added)} added, "
        f"{len(done.updated)} brought up to date, {len(done.unchanged)} there already"
    )
    return failures.DONE


def _check(args: argparse.Namespace) -> None:
    if args.models_to_retrain and args.image is None:
        raise InputError("--models_to_retrain needs --image, which says what would be removed")
    others = [name for name in ("images", "downstream") if getattr(args, name)]
    if args.image is not None and (args.of or others):
        given = args.of or f"--{others[0]}"
        raise InputError(f"--image asks for one image, and takes nothing else. Received: {given}")
    if args.why is not None and (args.of or others or args.image is not None):
        raise InputError("--why takes two runs, and nothing else")
    questions = (args.of, *others, args.image, args.why, args.records)
    if args.imported is not None and any(questions):
        raise InputError("--import takes records and the store to fill, and nothing else")
    if args.format == HTML and (others or args.image is not None):
        raise InputError("--format html shows a run, or --why; take text or json for the others")
    if len(others) > 1:
        raise InputError("--images and --downstream are two questions; ask one of them")


def _image(source: RunSource, args: argparse.Namespace) -> int:
    told = answer.answer(source, args.image)
    where_runs_are.tell_notes(source)
    if args.models_to_retrain:
        text, values = image_text.retrain_text, image_text.retrain_json
    else:
        text, values = image_text.image_text, image_text.image_json
    print(text(told) if args.format == TEXT else _json(values(told)))
    if told.found.not_searched or source.unreadable:
        print(
            "effnet: the answer is not complete: not every dataset could be searched",
            file=sys.stderr,
        )
        return failures.STEP_FAILED
    return failures.DONE


def _why(source: RunSource, args: argparse.Namespace) -> int:
    first, second = (finding.find(source, name).run for name in args.why)
    told = compare(first, second)
    where_runs_are.tell_notes(source)
    if args.format == HTML:
        from lineage.views import compare_html

        print(compare_html.page(told))
    elif args.format == TEXT:
        print(compare_text.why_text(told))
    else:
        print(_json(compare_text.why_json(told)))
    return failures.DONE


def _images(found: finding.Found, form: str) -> None:
    keys = ("split", "status", "class", "sha256", "uri")
    for row in listing.images_of(found.run):
        if form == JSON:
            print(json.dumps(row, ensure_ascii=False))
        else:
            print("\t".join(row[key] for key in keys))


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
