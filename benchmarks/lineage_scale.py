"""Claim: with 10,000 runs in ML Metadata, questions about lineage are answered in under 2 s.

A store is filled with 10,000 runs, each with its executions, artifacts and events: the records of
real runs, again and again under other names and times, by the functions of `effnet lineage
--import`. Then commands are timed as a person starts them, the start of the program included:
`effnet runs`, `effnet lineage latest`, and `effnet runs --compare` of two of the newest. The bound
is absolute: no other tool answers these questions from ML Metadata.

The store is a SQLite file in a temporary folder, or an empty database:
`--metadata_uri postgresql://USER@HOST/DATABASE`, with the password in EFFNET_METADATA_PASSWORD.
"""

import argparse
import datetime
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common

BOUND_SECS = 2.0
RUNS, QUICK_RUNS = 10_000, 1_000
REPEATS = 3
FIRST = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
BETWEEN = datetime.timedelta(hours=1)


def fill(uri: str, records: list[Path], runs: int) -> list[str]:
    """Adds the runs, the oldest first; returns their names."""
    from lineage.record import files
    from lineage.store import import_runs
    from pipeline.mlmd import connection

    store = connection.open_store(connection.connect(uri, Path()))
    originals = [files.read(path) for path in records]
    names = []
    started = time.monotonic()
    for number in range(runs):
        original = originals[number % len(originals)]
        start = FIRST + number * BETWEEN
        name = f"{start:%Y%m%d-%H%M%S}"
        info = original.run.model_copy(
            update={"id": name, "started": start, "ended": start + datetime.timedelta(minutes=5)}
        )
        # What a run took from the cache was made by another; here each has made its own.
        artifacts = [
            artifact.model_copy(update={"made_in_run": name, "made": start})
            for artifact in original.artifacts
        ]
        run = original.model_copy(update={"run": info, "artifacts": artifacts})
        import_runs.add(store, run, "", is_late=False)
        names.append(name)
        if number % 1000 == 999:
            print(f"{number + 1} runs after {time.monotonic() - started:.0f} s", file=sys.stderr)
    return names


def answer_secs(arguments: list[str], uri: str) -> float:
    """The seconds of a command, from its start to its end; it must succeed."""
    command = [str(Path(sys.executable).with_name("effnet")), *arguments, "--metadata_uri", uri]
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=common.ROOT)
    return time.perf_counter() - started


def main() -> None:
    """Fills the store, asks, and judges."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "records", nargs="+", type=Path, metavar="RECORD", help="lineage.json of real runs"
    )
    parser.add_argument("--metadata_uri", metavar="URI", help="an empty database (a SQLite file)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_RUNS} runs")
    args = parser.parse_args()
    common.print_machine()
    runs = QUICK_RUNS if args.quick else RUNS
    verdict = common.Verdict()
    with tempfile.TemporaryDirectory() as folder:
        uri = args.metadata_uri or f"sqlite://{os.path.join(folder, 'metadata.sqlite')}"
        names = fill(uri, args.records, runs)
        asked = {
            "effnet runs": ["runs"],
            "effnet lineage latest": ["lineage", "latest"],
            "effnet runs --compare": ["runs", "--compare", *names[-2:]],
        }
        questions = [lambda a=arguments: answer_secs(a, uri) for arguments in asked.values()]
        medians, _ = common.alternate(questions, REPEATS)
    for name, secs in zip(asked, medians, strict=True):
        verdict.claim(f"{name}, {runs:,} runs, s", secs, at_most=BOUND_SECS)
    verdict.exit()


if __name__ == "__main__":
    main()
