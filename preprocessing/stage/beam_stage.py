"""The Beam stage: source records become records of normalised images, or quarantine entries.

    find copies in the index -> workers normalise source shards -> add up -> join the parts

A worker owns a source shard: it reads, decodes, shrinks, encodes and writes it, so no picture
passes a Beam shuffle. What this process holds in memory does not grow with the number of images.
Output, below one folder, published by one rename:

    Split-train/train-00000-of-00016   shards of a target size, in the order of the source
    Split-eval/eval-00000-of-00004
    labels.txt                         class names; line i (from 0) names label i
    counts.json                        what became of the images; see `counts`
    statistics.json                    classes and pixels; see `class_statistics`
    class_frequencies.txt
    manifest.parquet                   one row per image; see `dataset_manifest`
"""

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam

from preprocessing import features
from preprocessing.errors import UnusableCorpusError
from preprocessing.files.class_names import format_class_names
from preprocessing.files.new_file import new_file, write_text
from preprocessing.files.publish import staged
from preprocessing.ingest import ingest
from preprocessing.stage import (
    class_statistics,
    dataset_manifest,
    duplicates,
    near_duplicates,
    quarantine,
    shards,
)
from preprocessing.stage.counts import Counts, add_up, equations
from preprocessing.stage.options import BYTES_PER_MB, StageOptions
from preprocessing.stage.source_shard import (
    QUARANTINED,
    USED,
    SourceShard,
    process_unit,
    source_shards,
    units,
)


def preprocess(
    source: str,
    output: str,
    quarantine_folder: str,
    *,
    class_names: list[str],
    options: StageOptions,
    make_pipeline: Callable[[], beam.Pipeline],
    stopped_folder: str | None = None,
) -> dict[str, Any]:
    """Normalises a dataset that `preprocessing.ingest` wrote.

    Args:
      source: folder of the source records.
      output: folder for the result, empty or absent; filled by one rename at the end.
      quarantine_folder: gets `quarantine.jsonl`, `duplicates.jsonl` and `near_duplicates.jsonl`.
      class_names: the label of a class is its position.
      options: what is done with each image.
      make_pipeline: makes the Beam pipeline that does the work. Workers see the same files.
      stopped_folder: gets those two files instead when the run stops because of them; by default
        that is `quarantine_folder`, too.

    Returns:
      The counts, as they stand in `counts.json`.

    Raises:
      UnusableCorpusError: too many images are unusable, or all of a split; or there are copies, and
        `options.on_duplicate` is `fail`.
    """
    stopped = stopped_folder or quarantine_folder
    with staged(output) as staging:
        scratch = str(staging / "scratch")
        lists = str(staging / "scratch" / "lists")  # for people; they are moved at the end
        Path(lists).mkdir(parents=True)
        copies = duplicates.plan(source, scratch, options.on_duplicate, lists)
        problem = duplicates.reason_to_stop(copies)
        if problem:
            raise _stop(problem, copies.as_json(), lists, stopped, features.DUPLICATES_FILE)
        sources = source_shards(source)
        with make_pipeline() as pipeline:
            _ = (
                pipeline
                | "Units" >> beam.Create(units(sources))
                | "Spread" >> beam.Reshuffle()  # names only
                | "ProcessUnit" >> beam.Map(process_unit, scratch, tuple(class_names), options)
            )
        result = add_up(((shard.split, shard.report(scratch)) for shard in sources), copies)
        bad = quarantine.write_quarantine(_quarantined(sources, scratch), lists, scratch)
        problem = quarantine.reason_to_stop(bad, result, options.max_bad_fraction)
        if problem:
            raise _stop(problem, result.as_json(), lists, stopped, features.QUARANTINE_FILE)
        similar = near_duplicates.write(sources, scratch, lists)
        if similar:
            logging.warning(
                "%d evaluation images look like training images; they are in %s",
                similar,
                Path(quarantine_folder) / features.NEAR_DUPLICATES_FILE,
            )
        _fill(staging, sources, result, class_names, options)
        _move_files(lists, quarantine_folder)
        shutil.rmtree(scratch)
    for line in equations(result.as_json()):
        logging.info("%s", line)
    return result.as_json()


def _fill(
    staging: Path,
    sources: list[SourceShard],
    result: Counts,
    class_names: list[str],
    options: StageOptions,
) -> None:
    """Makes the dataset of the parts and of what is known of them."""
    scratch = str(staging / "scratch")
    positions: dict[str, shards.RecordPosition] = {}
    for split in ingest.SPLITS:
        folder = ingest.split_folder(staging, split)
        folder.mkdir()
        of_split = (source.report(scratch) for source in sources if source.split == split)
        parts = [shards.Part(*part) for report in of_split for part in report["parts"]]
        positions |= shards.join_parts(parts, folder, split, options.shard_size_mb * BYTES_PER_MB)
    labels = {name: label for label, name in enumerate(class_names)}
    rows = _manifest_rows(sources, scratch, labels, positions)
    num_rows = dataset_manifest.write_manifest(str(staging / features.MANIFEST_FILE), rows, scratch)
    if num_rows != result.total["seen"]:
        raise RuntimeError(f"{result.total['seen']} images were seen, {num_rows} written down")
    statistics = class_statistics.describe(class_names, result)
    class_statistics.write_statistics(statistics, str(staging))
    write_text(str(staging / features.CLASS_NAMES_FILE), format_class_names(class_names))
    text = json.dumps(result.as_json(), indent=2) + "\n"
    write_text(str(staging / features.COUNTS_FILE), text)


def _quarantined(sources: list[SourceShard], scratch: str) -> Iterator[dict[str, Any]]:
    keys = ("uri", "sha256", "bytes", "class", "split", "reason", "detail", "shard", "position")
    for source in sources:
        if source.report(scratch)["reasons"]:
            for position, row in enumerate(source.rows(scratch)):
                if row["status"] == QUARANTINED:
                    place = {"split": source.split, "shard": source.number, "position": position}
                    yield {key: (row | place)[key] for key in keys}


def _manifest_rows(
    sources: list[SourceShard],
    scratch: str,
    labels: dict[str, int],
    positions: dict[str, shards.RecordPosition],
) -> Iterator[dict[str, Any]]:
    for source in sources:
        parts = [path for path, *_ in source.report(scratch)["parts"]]
        for row in source.rows(scratch):
            shard = position = None
            if row["status"] == USED:
                first = positions[parts[row["part"]]]
                shard, position = first.shard, first.position + row["position"]
            yield {
                "sha256": row["sha256"],
                "uri": row["uri"],
                "label": labels.get(row["class"]),
                "class": row["class"],
                "split": source.split,
                "status": row["status"],
                "reason": row["reason"],
                "shard": shard,
                "position": position,
            }


def _stop(
    problem: str, counts: dict[str, Any], lists: str, folder: str, name: str
) -> UnusableCorpusError:
    """Keeps the lists, which the person needs now, and makes the error."""
    _move_files(lists, folder)
    return UnusableCorpusError(f"{problem}; all of them: {Path(folder) / name}", counts, folder)


def _move_files(source: str, target: str) -> None:
    Path(target).mkdir(parents=True, exist_ok=True)
    for path in Path(source).iterdir():
        # Two names, as the folders may be of different file systems.
        with new_file(str(Path(target) / path.name)) as temporary:
            shutil.copyfile(path, temporary)
        path.unlink()
