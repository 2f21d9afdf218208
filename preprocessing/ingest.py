"""Ingestion: an image folder becomes shuffled, split source records.

    list -> order by a hash (the shuffle) -> cut into units -> a worker reads and writes a unit

Only names and hashes are planned with, and only unit numbers travel through Beam: no picture
ever passes a shuffle, and the bytes written do not depend on the number of workers or on the
runner. Output, below one folder, and the image facts in shards of the same names below another:

    Split-train/train-00000-of-00004   records of `preprocessing.features`, a shard a unit
    Split-eval/eval-00000-of-00004     the same number; a shard may be empty
    index/index-00000-of-00004.jsonl   {"uri", "sha256", "bytes", "class", "split", "format",
                                       "height", "width"} a line, the last three null if unknown

The index holds what later steps plan with, so that they need not read pictures for it.
"""

import contextlib
import hashlib
import json
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam

from preprocessing import features, image_folder, image_ops, records
from preprocessing.errors import InputError
from preprocessing.publish import staged

SPLITS = (features.TRAIN_SPLIT, features.EVAL_SPLIT)
INDEX_FOLDER = "index"

# A unit is what one worker does at a time, and one shard of each split.
UNIT_BYTES = 32_000_000
# So many units a small corpus has, or two workers would have nothing to share.
MIN_UNITS = 4
# A larger file is no picture, and would not fit into memory on every worker.
MAX_FILE_BYTES = 512_000_000


def ingest(
    source: str,
    output: str,
    *,
    make_pipeline: Callable[[], beam.Pipeline],
    eval_fraction: float,
    seed: int,
    facts: str | None = None,
) -> dict[str, int]:
    """Writes the source records of an image folder.

    Args:
      source: folder with one sub-folder of images a class.
      output: folder for the result, empty or absent; filled by one rename at the end.
      make_pipeline: makes the Beam pipeline that does the work. Workers see the same files.
      eval_fraction: share of the images, 0 to 1, that the evaluation split gets.
      seed: of the shuffle and of the split.
      facts: folder for the image facts, empty or absent; without it there are none.

    Returns:
      How many records each split has.

    Raises:
      InputError: the folder is not usable, or a split would have no image.
    """
    units = plan_units(image_folder.list_images(source), seed)
    with contextlib.ExitStack() as stack:
        staging = stack.enter_context(staged(output))
        facts_staging = stack.enter_context(staged(facts)) if facts else None
        plan = staging / "plan"
        for folder in (plan, staging / INDEX_FOLDER, *(split_folder(staging, s) for s in SPLITS)):
            folder.mkdir()
        if facts_staging:
            for split in SPLITS:
                split_folder(facts_staging, split).mkdir()
        for number, names in enumerate(units):
            records.write_text(str(plan / f"{number}.json"), json.dumps(names))
        with make_pipeline() as pipeline:
            _ = (
                pipeline
                | "Units" >> beam.Create(range(len(units)))
                | "Spread" >> beam.Reshuffle()  # numbers only
                | "WriteUnit"
                >> beam.Map(
                    write_unit,
                    len(units),
                    source,
                    str(staging),
                    str(facts_staging) if facts_staging else None,
                    eval_fraction,
                    seed,
                )
            )
        for number in range(len(units)):
            (plan / f"{number}.json").unlink()
        plan.rmdir()
        return _checked_counts(staging, sum(map(len, units)), eval_fraction)


def split_folder(root: str | Path, split: str) -> Path:
    """Folder of a split, as TFX names it."""
    return Path(root) / f"Split-{split}"


def index_files(root: str | Path) -> list[str]:
    """The index files of a dataset that `ingest` wrote, in order."""
    return sorted(map(str, (Path(root) / INDEX_FOLDER).glob("index-*.jsonl")))


def read_index(path: str) -> Iterator[dict[str, Any]]:
    """Yields the entries of one index file."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def plan_units(files: list[image_folder.SourceFile], seed: int) -> list[list[str]]:
    """Shuffles the files and cuts them into units of about `UNIT_BYTES`.

    Args:
      files: as `image_folder.list_images` gives them.
      seed: of the shuffle.

    Returns:
      The names of each unit's files. The plan follows from names, sizes and seed alone.
    """
    files = sorted(files, key=lambda file: _hash(seed, os.fsencode(file.name)))
    # An empty file has its price, too: reading it and telling of it.
    total = sum(file.num_bytes + 1 for file in files)
    limit = min(UNIT_BYTES, total / MIN_UNITS)
    units: list[list[str]] = []
    room = 0.0
    for file in files:
        if room <= 0:
            units.append([])
            room = limit
        units[-1].append(file.name)
        room -= file.num_bytes + 1
    return units


def split_of(sha256: str, eval_fraction: float, seed: int) -> str:
    """The split of an image, decided by its content: copies stay together, at any corpus size."""
    position = int.from_bytes(_hash(seed, sha256.encode())[:8], "big") / 2**64
    return features.EVAL_SPLIT if position < eval_fraction else features.TRAIN_SPLIT


def write_unit(
    unit: int,
    num_units: int,
    source: str,
    staging: str,
    facts_staging: str | None,
    eval_fraction: float,
    seed: int,
) -> None:
    """Reads the files of one unit and writes its shard of each split and of the index."""
    names = json.loads((Path(staging) / "plan" / f"{unit}.json").read_text(encoding="utf-8"))
    index = Path(staging) / INDEX_FOLDER / f"{features.shard_name('index', unit, num_units)}.jsonl"
    lines = []
    with contextlib.ExitStack() as stack:

        def writers(root: str) -> dict[str, Any]:
            return {
                split: stack.enter_context(
                    records.record_writer(
                        str(split_folder(root, split) / features.shard_name(split, unit, num_units))
                    )
                )
                for split in SPLITS
            }

        pictures = writers(staging)
        facts = writers(facts_staging) if facts_staging else {}
        for name in names:
            values = read_source(source, name)
            sha256 = values[features.SHA256].decode()
            split = split_of(sha256, eval_fraction, seed)
            pictures[split].write(records.make_record(values))
            if facts:
                facts[split].write(records.make_record(image_facts(values)))
            entry = {
                "uri": values[features.FILENAME].decode(errors="backslashreplace"),
                "sha256": sha256,
                "bytes": len(values[features.ENCODED]),
                "class": values[features.CLASS_TEXT].decode(),
                "split": split,
                "format": values.get(features.FORMAT, b"").decode() or None,
                "height": values.get(features.HEIGHT),
                "width": values.get(features.WIDTH),
            }
            lines.append(json.dumps(entry, ensure_ascii=False) + "\n")
    records.write_text(str(index), "".join(lines))


def image_facts(values: dict[str, records.Value]) -> dict[str, records.Value]:
    """What the values of a source record say of the picture, without its pixels."""
    kept = (features.FORMAT, features.HEIGHT, features.WIDTH, features.CLASS_TEXT)
    facts = {
        key: value
        for key, value in values.items()
        if value and (key in kept or key.startswith(features.COLUMN_PREFIX))
    }
    facts[features.NUM_BYTES] = len(values[features.ENCODED])
    if features.HEIGHT in facts:
        facts[features.ASPECT_RATIO] = facts[features.WIDTH] / facts[features.HEIGHT]
    return facts


def read_source(source: str, name: str) -> dict[str, records.Value]:
    """Reads one file into the values of a source record; never fails because of the file."""
    path = os.path.join(source, name)
    data, error = b"", ""
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            error = "not a regular file"
        elif status.st_size > MAX_FILE_BYTES:
            error = f"larger than {MAX_FILE_BYTES} bytes"
        else:
            with open(path, "rb") as file:
                data = file.read()
    except OSError as failure:
        error = failure.strerror or type(failure).__name__
    values: dict[str, records.Value] = {
        features.ENCODED: data,
        features.CLASS_TEXT: name.partition("/")[0].encode(),
        features.FILENAME: os.fsencode(path),
        features.SHA256: hashlib.sha256(data).hexdigest().encode(),
    }
    if error:
        values[features.READ_ERROR] = error.encode()
    header = image_ops.read_header(data)
    if header:
        values[features.FORMAT] = header.format.encode()
        values[features.HEIGHT] = header.height
        values[features.WIDTH] = header.width
    return values


def _hash(seed: int, data: bytes) -> bytes:
    return hashlib.sha256(f"{seed}\0".encode() + data).digest()


def _checked_counts(staging: Path, num_files: int, eval_fraction: float) -> dict[str, int]:
    counts = Counter(entry["split"] for path in index_files(staging) for entry in read_index(path))
    if counts.total() != num_files:
        raise RuntimeError(f"{num_files} files were listed, {counts.total()} records written")
    for split in SPLITS:
        if not counts[split]:
            raise InputError(
                f"the {split} split must have at least one image; add images or change "
                f"data.eval_fraction or data.seed. Received: {num_files} images, "
                f"eval_fraction={eval_fraction}"
            )
    return {split: counts[split] for split in SPLITS}
