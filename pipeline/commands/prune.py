"""`effnet prune`: free what no served, blessed or kept run needs."""

import argparse
import datetime
from pathlib import Path

from lineage.making import recorder
from lineage.pruning import plan as plans
from lineage.pruning import removal
from lineage.pruning.items import Item, Plan
from lineage.reading import opening
from lineage.reading.from_store import StoreRuns
from pipeline import output_dir as folders
from pipeline import store_uri
from pipeline.mlmd import connection, moved_artifacts
from preprocessing import failures
from preprocessing.errors import InputError

_UNITS = ("B", "kB", "MB", "GB", "TB")
_THOUSAND = 1000


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the sub-command."""
    parser = commands.add_parser(
        "prune",
        help="free what no served, blessed or kept run needs",
        description="Removes the artifacts that only such runs have which are not among the newest "
        "N and whose model was not blessed and is not served, trainings that were cut off in such "
        "runs, and what killed runs left. What is recorded stays: lineage still answers, and says "
        "what was pruned. Exit status: 0 done, 2 a run is in progress or the input was wrong.",
    )
    parser.add_argument(
        "--keep_last", metavar="N", type=int, required=True, help="keep the newest N runs, whatever"
    )
    parser.add_argument(
        "--dry_run", action="store_true", help="say what would be freed, and change nothing"
    )
    parser.add_argument(
        "--output_dir", metavar="DIR", help="output folder of the runs (the only one in runs/)"
    )
    parser.add_argument(
        "--metadata_uri",
        metavar="URI",
        help="where ML Metadata is now, if not where it was in the newest run",
    )
    parser.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Frees, and says what and why."""
    if args.keep_last < 0:
        raise InputError(f"--keep_last must be 0 or more. Received: {args.keep_last}")
    if args.metadata_uri:
        store_uri.refuse_password(args.metadata_uri, "--metadata_uri")
    output_dir = folders.find(args.output_dir)
    uri = opening.store_uri_of(output_dir, args.metadata_uri)
    if args.dry_run:
        plan = _plan(output_dir, uri, args.keep_last)
        _print_items(plan, plan.items)
        print(f"would free {_size(plan.num_bytes)}")
        return failures.DONE
    with folders.locked(output_dir):
        connection.open_to_read(uri)  # says in one line if it is away, or not there
        store = connection.open_store(connection.locate(uri, output_dir / folders.METADATA_FILE))
        moved_artifacts.follow(store, output_dir)
        # Records of killed runs are completed from files that may go now.
        recorder.end_killed(store, output_dir)
        plan = _plan(output_dir, uri, args.keep_last)
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        done = list(removal.carry_out(plan, store, output_dir, now))
    _print_items(plan, done)
    print(f"freed {_size(sum(item.num_bytes for item in done))}")
    return failures.DONE


def _plan(output_dir: Path, uri: str, keep_last: int) -> Plan:
    store = connection.open_to_read(uri)
    source = StoreRuns(store, f"ML Metadata at {store_uri.masked(uri)}", output_dir)
    return plans.make(source, store, output_dir, keep_last)


def _print_items(plan: Plan, items: list[Item]) -> None:
    for run_id, why in plan.kept.items():
        print(f"keeps run {run_id}: {why}")
    for line in plan.let_be:
        print(f"leaves {line}")
    for item in items:
        print(f"{_size(item.num_bytes):>9}  {item.what}: {item.why}")
        print(f"{'':>9}  {item.path}")


def _size(num_bytes: int) -> str:
    number, unit = float(num_bytes), 0
    while number >= _THOUSAND and unit < len(_UNITS) - 1:
        number, unit = number / _THOUSAND, unit + 1
    return f"{number:.1f} {_UNITS[unit]}" if unit else f"{num_bytes} B"
