"""Ingestion: a source becomes shuffled, split source records.

    list -> order by a hash (the shuffle) -> cut into units -> a worker reads and writes a unit

Only names and hashes are planned with, and only unit numbers travel through Beam: no picture
ever passes a shuffle, and the bytes written do not depend on the number of workers or on the
runner. Output, below one folder, and the image facts in shards of the same names below another:

    Split-train/train-00000-of-00004   records of `preprocessing.features`, a shard a unit
    Split-eval/eval-00000-of-00004     the same number; a shard may be empty
    index/index-00000-of-00004.jsonl   one object per line, in the order of the records
    ingestion.json                     what was read: counts, splits, what was left out

A line of the index has `uri`, `sha256`, `bytes`, `class` (empty if unknown), `split`, `split_from`
(`source` or `content`: who decided), `format`, `height` and `width` (null if unknown), `columns`
(text by name). It holds what later steps plan with, so that they need not read pictures for it.
"""

import contextlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam

from preprocessing import features
from preprocessing.errors import InputError
from preprocessing.files.new_file import write_text
from preprocessing.files.publish import staged
from preprocessing.ingest.plan import Plan, make_plan
from preprocessing.ingest.unit import INDEX_FOLDER, SPLITS, Job, split_folder, write_unit
from preprocessing.sources.base import Source
from preprocessing.sources.opening import open_source

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
      split), `split_from` (by who decided) and `left_out` (by split of the source).

    Raises:
      InputError: the source is not usable, or a split would have no image.
    """
    source = open_source(source) if isinstance(source, str) else source
    with contextlib.ExitStack() as stack:
        staging = stack.enter_context(staged(output))
        facts_staging = stack.enter_context(staged(facts)) if facts else None
        scratch = staging / "scratch"
        scratch.mkdir()
        source = source.fetched(scratch / "containers", make_pipeline)
        plan = make_plan(source.items(), source.path, scratch / "plan", seed)
        job = Job(
            source=source,
            plan=plan,
            target=str(staging),
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
        shutil.rmtree(scratch)
        summary = _summary(source, plan, staging, eval_fraction)
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


def _summary(source: Source, plan: Plan, staging: Path, eval_fraction: float) -> dict[str, Any]:
    splits, split_from = Counter(), Counter()
    for path in index_files(staging):
        for entry in read_index(path):
            splits[entry["split"]] += 1
            split_from[entry["split_from"]] += 1
    if splits.total() != plan.num_items:
        raise RuntimeError(f"{plan.num_items} images were listed, {splits.total()} records written")
    for split in SPLITS:
        if not splits[split]:
            raise InputError(
                f"the {split} split must have at least one image; add images or change "
                f"data.eval_fraction or data.seed. Received: {plan.num_items} images, "
                f"eval_fraction={eval_fraction}"
            )
    return {
        "source": source.path.encode(errors="surrogateescape").decode(errors="backslashreplace"),
        "format": source.format,
        "images": plan.num_items,
        "splits": {split: splits[split] for split in SPLITS},
        "split_from": {name: split_from[name] for name in ("source", "content")},
        "left_out": plan.left_out,
    }
