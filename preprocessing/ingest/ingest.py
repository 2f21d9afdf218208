"""Ingestion: a source becomes shuffled, split source records.

    list -> order by a hash (the shuffle) -> cut into units -> a worker reads and writes a unit

Only names and hashes are planned with, and only unit numbers travel through Beam: no picture
ever passes a shuffle, and the bytes written do not depend on the number of workers or on the
runner. Output, below one folder, and the image facts in shards of the same names below another:

    Split-train/train-00000-of-00004   records of `preprocessing.features`, a shard a unit
    Split-eval/eval-00000-of-00004     the same number; a shard may be empty
    index/index-00000-of-00004.jsonl   one object per line, in the order of the records
    ingestion.json                     what was read: counts, splits, what was left out, notes

A line of the index has `uri`, `sha256`, `bytes`, `class` (empty if unknown), `problem` (why it
cannot be read or has no class; null otherwise), `split`, `split_from` (`source` or `content`: who
decided), `format`, `height` and `width` (null if unknown), `columns` (text by name). It holds what
later steps plan with, so that they need not read pictures for it.
"""

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam

from preprocessing import features
from preprocessing.files.new_file import write_text
from preprocessing.files.publish import staged
from preprocessing.ingest import checks
from preprocessing.ingest.layout import INDEX_FOLDER, SPLITS, split_folder
from preprocessing.ingest.plan import Plan, make_plan
from preprocessing.ingest.report import Report
from preprocessing.ingest.unit import (
    FROM_CONTENT,
    FROM_SOURCE,
    Job,
    write_unit,
)
from preprocessing.sources.base import Source
from preprocessing.sources.listing import SKIPPED
from preprocessing.sources.opening import open_source
from preprocessing.sources.remarks import Remarks
from preprocessing.text import one_line

# With the layout of what is written, which its readers need.
__all__ = ["INDEX_FOLDER", "SPLITS", "index_files", "ingest", "read_index", "split_folder"]


def ingest(
    source: str | Source,
    output: str,
    *,
    make_pipeline: Callable[[], beam.Pipeline],
    eval_fraction: float,
    seed: int,
    facts: str | None = None,
) -> dict[str, Any]:
    """Writes the source records of a corpus.

    Args:
      source: the corpus, or a path, whose format is found out.
      output: folder for the result, empty or absent; filled by one rename at the end.
      make_pipeline: makes the Beam pipelines that do the work. Workers see the same files.
      eval_fraction: share of the images, 0 to 1, that the evaluation split gets, of those that
        the source gives to no split.
      seed: of the shuffle and of the split.
      facts: folder for the image facts, empty or absent; without it there are none.

    Returns:
      What `ingestion.json` says: `source`, `format`, `images` (their number), `splits` (by
      split), `split_from` (by who decided), `left_out` (by split of the source), `problems`
      (images that cannot be used, by reason, as far as that is known without decoding them),
      `skipped` (the number of hidden files and the like) and `notes` (lines for people).

    Raises:
      InputError: the source is not usable, a label has two meanings, or a split would have no
        image that can be used.
    """
    source = open_source(source) if isinstance(source, str) else source
    with contextlib.ExitStack() as stack:
        staging = stack.enter_context(staged(output))
        facts_staging = stack.enter_context(staged(facts)) if facts else None
        scratch = staging / "scratch"
        scratch.mkdir()
        source = source.fetched(scratch / "containers", make_pipeline)
        remarks = Remarks()
        plan = make_plan(source.items(remarks), source.path, scratch / "plan", seed)
        job = Job(
            source=source,
            plan=plan,
            target=str(staging),
            reports=str(scratch / "reports"),
            facts=str(facts_staging) if facts_staging else None,
            eval_fraction=eval_fraction,
            seed=seed,
        )
        job.make_folders()
        with make_pipeline() as pipeline:
            _ = (
                pipeline
                | "Units" >> beam.Create(range(plan.num_units))
                | "Spread" >> beam.Reshuffle()  # numbers only
                | "WriteUnit" >> beam.Map(write_unit, job)
            )
        report = _added_up(job)
        checks.check_usable(report, source, eval_fraction)
        checks.check_labels(report)
        shutil.rmtree(scratch)
        summary = _summary(source, plan, report, remarks)
        write_text(str(staging / features.INGESTION_FILE), json.dumps(summary, indent=2) + "\n")
    return summary


def index_files(root: str | Path) -> list[str]:
    """The index files of a dataset that `ingest` wrote, in order."""
    return sorted(map(str, (Path(root) / INDEX_FOLDER).glob("index-*.jsonl")))


def read_index(path: str) -> Iterator[dict[str, Any]]:
    """Yields the entries of one index file."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _added_up(job: Job) -> Report:
    report = Report()
    for unit in range(job.plan.num_units):
        report.add_file(Path(job.reports, f"{unit}.json"))
    if report.splits.total() != job.plan.num_items:
        raise RuntimeError(
            f"{job.plan.num_items} images were listed, {report.splits.total()} records written"
        )
    return report


def _summary(source: Source, plan: Plan, report: Report, remarks: Remarks) -> dict[str, Any]:
    return {
        "source": source.path.encode(errors="surrogateescape").decode(errors="backslashreplace"),
        "format": source.format,
        "images": plan.num_items,
        "splits": {split: report.splits[split] for split in SPLITS},
        "split_from": {name: report.split_from[name] for name in (FROM_SOURCE, FROM_CONTENT)},
        "left_out": plan.left_out,
        "problems": report.problems.by_reason,
        "skipped": remarks.number_of(SKIPPED),
        "notes": [
            one_line(line) for line in (*remarks.lines(), *checks.similar_names(report.classes))
        ],
    }
