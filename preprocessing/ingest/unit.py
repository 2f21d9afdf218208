"""What a worker does with a unit of an ingestion: read its items, write its shards."""

import contextlib
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preprocessing import features
from preprocessing.files import records
from preprocessing.files.new_file import new_file
from preprocessing.images.pictures import open_picture
from preprocessing.images.unusable import UnusableImageError
from preprocessing.ingest.layout import INDEX_FOLDER, SPLITS, split_folder
from preprocessing.ingest.plan import Plan, hash_64
from preprocessing.ingest.report import Report
from preprocessing.problems import Problem
from preprocessing.sources.base import Content, Item, Source

FROM_SOURCE, FROM_CONTENT = "source", "content"


@dataclass(frozen=True, kw_only=True)
class Job:
    """What all units of an ingestion share.

    Attributes:
      source: reads the items.
      plan: has the items.
      target: folder of the source records and the index.
      reports: folder of the sums of each unit.
      facts: folder of the image facts; None for none.
      eval_fraction: share of the images, 0 to 1, that the evaluation split gets, of those that
        the source gives to no split.
      seed: of the split.
    """

    source: Source
    plan: Plan
    target: str
    reports: str
    facts: str | None
    eval_fraction: float
    seed: int

    def make_folders(self) -> None:
        """Makes the folders that `write_unit` writes into."""
        for root in filter(None, (self.target, self.facts)):
            for split in SPLITS:
                split_folder(root, split).mkdir()
        for folder in (Path(self.target, INDEX_FOLDER), Path(self.reports)):
            folder.mkdir()

    def split_of(self, item: Item, content: Content, sha256: str) -> tuple[str, str]:
        """Our split of an image, and who decided: the source, or else the image's content.

        An image whose bytes are not known goes by its name: all of them on one side would
        leave the other side empty.
        """
        side = self.plan.rule.sides.get(item.split) if item.split else None
        if side:
            return side, FROM_SOURCE
        decisive = sha256 if content.data else self.plan.name_of(item.uri)
        return split_of(decisive, self.eval_fraction, self.seed), FROM_CONTENT


def split_of(sha256: str, eval_fraction: float, seed: int) -> str:
    """The split of an image, decided by its content: copies stay together, at any corpus size."""
    position = hash_64(seed, sha256.encode(errors="surrogatepass")) / 2**64
    return features.EVAL_SPLIT if position < eval_fraction else features.TRAIN_SPLIT


def write_unit(unit: int, job: Job) -> None:
    """Reads the items of one unit and writes its shard of each split, of facts and of the index."""
    num_units = job.plan.num_units
    with contextlib.ExitStack() as stack:

        def writers(root: str) -> dict[str, Any]:
            names = {split: features.shard_name(split, unit, num_units) for split in SPLITS}
            return {
                split: stack.enter_context(
                    records.record_writer(str(split_folder(root, split) / name))
                )
                for split, name in names.items()
            }

        pictures = writers(job.target)
        facts = writers(job.facts) if job.facts else {}
        index_name = f"{features.shard_name('index', unit, num_units)}.jsonl"
        index_path = stack.enter_context(new_file(str(Path(job.target, INDEX_FOLDER, index_name))))
        index = stack.enter_context(open(index_path, "w", encoding="utf-8"))
        report = Report()
        for item in job.plan.items(unit):
            content = job.source.read(item)
            values, problem = source_record(item, content)
            sha256 = values[features.SHA256].decode()
            split, split_from = job.split_of(item, content, sha256)
            pictures[split].write(records.make_record(values))
            if facts:
                facts[split].write(records.make_record(image_facts(values)))
            entry = index_entry(values, split, split_from)
            index.write(json.dumps(entry, ensure_ascii=False) + "\n")
            report.add(
                uri=entry["uri"],
                class_text=content.class_text,
                label=content.label,
                split=split,
                split_from=split_from,
                problem=problem,
            )
    report.write(Path(job.reports, f"{unit}.json"))


def source_record(item: Item, content: Content) -> tuple[dict[str, records.Value], Problem | None]:
    """The values of a source record, and why the image cannot be used, as far as that is known."""
    problem = content.problem
    values: dict[str, records.Value] = {
        features.ENCODED: content.data,
        features.CLASS_TEXT: content.class_text.encode(),
        features.FILENAME: item.uri.encode(errors="surrogateescape"),
        features.SHA256: hashlib.sha256(content.data).hexdigest().encode(),
    }
    if problem is not None:
        values[features.PROBLEM] = problem.reason.encode()
        values[features.PROBLEM_DETAIL] = problem.detail.encode(errors="backslashreplace")
    for name, text in content.columns.items():
        values[features.COLUMN_PREFIX + name] = text.encode()
    try:
        picture = open_picture(content.data)
    except UnusableImageError as error:
        return values, problem or Problem(error.reason, error.detail)
    values[features.FORMAT] = picture.format.encode()
    values[features.WIDTH], values[features.HEIGHT] = picture.size
    return values, problem


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


def index_entry(values: dict[str, records.Value], split: str, split_from: str) -> dict[str, Any]:
    """The line of the index for a source record; see `preprocessing.ingest`."""
    return {
        "uri": values[features.FILENAME].decode(errors="backslashreplace"),
        "sha256": values[features.SHA256].decode(),
        "bytes": len(values[features.ENCODED]),
        "class": values[features.CLASS_TEXT].decode(),
        "problem": values.get(features.PROBLEM, b"").decode() or None,
        "split": split,
        "split_from": split_from,
        "format": values.get(features.FORMAT, b"").decode() or None,
        "height": values.get(features.HEIGHT),
        "width": values.get(features.WIDTH),
        "columns": {
            key.removeprefix(features.COLUMN_PREFIX): value.decode()
            for key, value in values.items()
            if key.startswith(features.COLUMN_PREFIX)
        },
    }
