"""`effnet runs`: a table of all runs."""

import argparse
import json

from lineage.compare.differences import compare
from lineage.reading import finding
from lineage.reading.finding import MIN_DIGEST_CHARS
from lineage.reading.source import RunSource
from lineage.record.run import RunLine
from lineage.views import compare_text, runs_table
from pipeline.commands import cluster_options, where_runs_are
from preprocessing import failures
from preprocessing.errors import InputError

# In the table; more scroll away.
SHOWN_RUNS = 20
_ALL_DATASETS = ""
TEXT, JSON, HTML = "text", "json", "html"


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the sub-command."""
    parser = commands.add_parser(
        "runs",
        help="a table of all runs",
        description="Lists runs, the newest first: when, state, duration, images, top-1 with its "
        "interval, verdict, and what was pushed. Exit status: 0 done, 2 there is no such run.",
    )
    parser.add_argument(
        "--last",
        metavar="N",
        type=int,
        help=f"the newest N ({SHOWN_RUNS} in the table; all with --json or --data)",
    )
    parser.add_argument(
        "--data",
        metavar="DIGEST",
        nargs="?",
        const=_ALL_DATASETS,
        help="group by dataset; with the beginning of a digest, only the runs of that dataset",
    )
    parser.add_argument(
        "--compare",
        metavar=("A", "B"),
        nargs=2,
        help="what differs between two runs: settings, data, code, versions, metrics, classes",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="JSON instead of a table")
    form.add_argument(
        "--format",
        choices=(TEXT, JSON, HTML),
        default=TEXT,
        help="json is the same as --json; html, with --compare, is one page with pictures "
        "(%(default)s)",
    )
    where_runs_are.add_options(parser)
    cluster = parser.add_argument_group(
        "runs on Kubeflow Pipelines", "with --host: what that server knows of runs of our pipelines"
    )
    cluster_options.add_options(cluster, required=False)
    cluster.add_argument(
        "--pipeline", metavar="NAME", default="", help="only the runs of this pipeline"
    )
    parser.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Prints the table."""
    if args.last is not None and args.last < 1:
        raise InputError(f"--last must be 1 or more. Received: {args.last}")
    args.json = args.json or args.format == JSON
    if args.host is not None:
        return _on_cluster(args)
    if args.namespace or args.token_file or args.pipeline:
        raise InputError("--namespace, --token_file and --pipeline need --host")
    if args.format == HTML and args.compare is None:
        raise InputError("--format html needs --compare; each run's report is in reports/")
    if args.compare is not None and (args.last is not None or args.data is not None):
        raise InputError("--compare takes two runs, and neither --last nor --data")
    source = where_runs_are.open_source(args)
    if args.compare is not None:
        return _compare(source, args)
    is_short = not args.json and args.data is None
    limit = args.last or (SHOWN_RUNS if is_short else None)
    # One more tells whether there are more.
    lines = source.lines(limit=limit + 1 if limit else None)
    hidden, lines = bool(limit and len(lines) > limit), lines[:limit]
    where_runs_are.tell_notes(source)
    if args.data is not None:
        lines = _of_dataset(lines, args.data)
        print(runs_table.grouped_json(lines) if args.json else runs_table.grouped_text(lines))
    else:
        print(runs_table.as_json(lines) if args.json else runs_table.text(lines))
    if hidden and is_short and args.last is None:
        print(f"the newest {SHOWN_RUNS}; --last N shows more")
    return failures.DONE


def _on_cluster(args: argparse.Namespace) -> int:
    others = ("compare", "data", "output_dir", "metadata_uri", "records")
    wrong = [f"--{name}" for name in others if getattr(args, name) is not None]
    if wrong or args.format == HTML:
        raise InputError(
            "--host lists what a server knows, with --last, --json, --namespace and --pipeline; "
            f"records are read with --records. Received: {' '.join(wrong) or '--format html'}"
        )
    client = cluster_options.client(args)
    from kubeflow.submission import listing

    limit = args.last or (None if args.json else SHOWN_RUNS)
    found = listing.runs(
        client, namespace=args.namespace, pipeline=args.pipeline, limit=limit and limit + 1
    )
    is_hidden, found = bool(limit and len(found) > limit), found[:limit]
    print(listing.as_json(found) if args.json else listing.text(found))
    if is_hidden and args.last is None:
        print(f"the newest {SHOWN_RUNS}; --last N shows more")
    return failures.DONE


def _compare(source: RunSource, args: argparse.Namespace) -> int:
    first, second = (finding.find(source, name).run for name in args.compare)
    found = compare(first, second)
    where_runs_are.tell_notes(source)
    if args.format == HTML:
        from lineage.views import compare_html  # what draws pictures takes its time to import

        print(compare_html.page(found))
    elif args.json:
        print(json.dumps(compare_text.as_json(found), indent=2, ensure_ascii=False))
    else:
        print(compare_text.text(found))
    return failures.DONE


def _of_dataset(lines: list[RunLine], start: str) -> list[RunLine]:
    """The runs of the dataset whose digest begins so; of all datasets, if `start` is empty."""
    if start == _ALL_DATASETS:
        return lines
    found = [line for line in lines if line.dataset.startswith(start)]
    digests = {line.dataset for line in found}
    if len(digests) != 1 or len(start) < MIN_DIGEST_CHARS:
        known = sorted(digests or {line.dataset for line in lines} - {""})
        raise InputError(
            f"--data takes at least {MIN_DIGEST_CHARS} digits with which the digest of one dataset "
            f"begins. Received: {start!r}; datasets: {', '.join(known[:5]) or 'none'}"
        )
    return found
