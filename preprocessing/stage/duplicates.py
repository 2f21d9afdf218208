"""Copies: files of the same bytes. Found in the index, before any picture is decoded.

Three kinds matter. Plain copies only weigh a picture twice. Copies in both splits let a model be
measured on what it was trained on. Copies with different labels are wrong at least once, and
nothing in the bytes says where. `data.on_duplicate` decides:

    keep   every copy is used; copies are counted and reported
    drop   one copy is used: the first by URI in the evaluation split, or in the training split
           where there is none. So a measurement keeps its images, and none of them is trained
           on. Copies with different labels are all set aside: whichever was kept, its label
           would be there by chance
    fail   a single copy stops the run

A file without bytes (empty, or unreadable) or without a class cannot be used and is nobody's copy.
"""

import itertools
import json
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from preprocessing import features
from preprocessing.files.external_sort import sorted_rows
from preprocessing.files.new_file import new_file, write_text
from preprocessing.ingest import ingest

KEEP, DROP, FAIL = "keep", "drop", "fail"
REPORT_FILE = "duplicates.jsonl"

# What becomes of a copy.
KEPT, DROPPED, SET_ASIDE = "kept", "dropped", "set aside"
# Why they are not used; the second is a reason of the quarantine.
COPY = "copy"
CONFLICT = "copies with different labels"

_NAMES_IN_MESSAGE = 10


class Copy(NamedTuple):
    """A file that others have the same bytes as.

    Attributes:
      sha256: hexadecimal SHA-256 of the bytes.
      uri: of the file.
      class_text: its class name.
      split: its split.
      shard: number of its source shard within the split, from 0.
      position: number of its record within the source shard, from 0.
    """

    sha256: str
    uri: str
    class_text: str
    split: str
    shard: int
    position: int


@dataclass(frozen=True)
class Group:
    """All copies of one picture, two or more, sorted by URI."""

    copies: tuple[Copy, ...]
    different_labels: bool
    both_splits: bool

    @classmethod
    def of(cls, copies: Iterable[Copy]) -> "Group":
        """Makes a group of copies with the same digest."""
        copies = tuple(sorted(copies))
        return cls(
            copies,
            different_labels=len({copy.class_text for copy in copies}) > 1,
            both_splits=len({copy.split for copy in copies}) > 1,
        )

    def fates(self, policy: str) -> list[str]:
        """What becomes of each copy."""
        if policy != DROP:
            return [KEPT] * len(self.copies)
        if self.different_labels:
            return [SET_ASIDE] * len(self.copies)
        return [KEPT if copy == self.best else DROPPED for copy in self.copies]

    @property
    def best(self) -> Copy:
        """The copy that is used where one is."""
        return min(self.copies, key=lambda copy: (copy.split != features.EVAL_SPLIT, copy))


@dataclass
class Summary:
    """What the index says of copies.

    Attributes:
      listed: images by split, copies or not.
      duplicates: copies by split: all but one of each picture; under `drop` those that are
        dropped, so that a file is used, in quarantine or a duplicate.
      different_labels: files by split whose bytes stand under more than one class.
      both_splits: files by split whose bytes stand in more than one split.
      first_names: of copies, at most ten.
      first_odd_names: of copies with different labels or in both splits, at most ten.
    """

    listed: Counter = field(default_factory=Counter)
    duplicates: Counter = field(default_factory=Counter)
    different_labels: Counter = field(default_factory=Counter)
    both_splits: Counter = field(default_factory=Counter)
    first_names: list[str] = field(default_factory=list)
    first_odd_names: list[str] = field(default_factory=list)

    def add(self, group: Group, policy: str) -> None:
        """Counts a group."""
        if policy == DROP:
            fates = zip(group.copies, group.fates(policy), strict=True)
            self.duplicates.update(copy.split for copy, fate in fates if fate == DROPPED)
        else:
            best = group.best
            self.duplicates.update(copy.split for copy in group.copies if copy != best)
        _add_names(self.first_names, group)
        if group.different_labels:
            self.different_labels.update(copy.split for copy in group.copies)
        if group.both_splits:
            self.both_splits.update(copy.split for copy in group.copies)
        if group.different_labels or group.both_splits:
            _add_names(self.first_odd_names, group)

    def text(self) -> str:
        """What was found, in one line."""
        return (
            f"{self.duplicates.total()} files are copies of others; "
            f"{self.different_labels.total()} files have copies with different labels, "
            f"{self.both_splits.total()} have copies in both splits; the first: "
            f"{', '.join(self.first_odd_names or self.first_names)}"
        )


def plan(source: str, scratch: str, policy: str, report_folder: str) -> Summary:
    """Finds all copies, reports them, and writes down what each source shard is to leave out.

    Args:
      source: folder of the source records.
      scratch: folder for the decisions, which `read_decisions` reads.
      policy: `keep`, `drop` or `fail`.
      report_folder: gets `duplicates.jsonl`: an object a copy with `sha256`, `uri`, `class`,
        `split`, `fate`, `different_labels` and `both_splits`, sorted by digest and URI.

    Returns:
      The counts.
    """
    summary = Summary()
    Path(report_folder).mkdir(parents=True, exist_ok=True)
    report = os.path.join(report_folder, REPORT_FILE)
    decisions = sorted_rows(_decisions(source, scratch, policy, report, summary), scratch)
    for (split, shard), rows in itertools.groupby(decisions, key=itemgetter(0, 1)):
        text = json.dumps([row[2:] for row in rows])
        write_text(_decisions_file(scratch, split, shard), text)
    if summary.first_names and policy != FAIL:
        logging.warning("%s (data.on_duplicate is %s)", summary.text(), policy)
    return summary


def reason_to_stop(summary: Summary, policy: str) -> str | None:
    """One line where there are copies and `policy` is `fail`, else None."""
    if policy != FAIL or not summary.first_names:
        return None
    return (
        "no image may be there twice (data.on_duplicate is fail; keep and drop allow it). "
        f"Received: {summary.text()}"
    )


def read_decisions(scratch: str, split: str, shard: int) -> dict[int, tuple[str, str]]:
    """What a source shard leaves out: position of a record to its (SHA-256, fate)."""
    path = Path(_decisions_file(scratch, split, shard))
    if not path.exists():
        return {}
    rows = json.loads(path.read_text(encoding="utf-8"))
    return {position: (sha256, fate) for position, sha256, fate in rows}


def _decisions(
    source: str, scratch: str, policy: str, report: str, summary: Summary
) -> Iterator[tuple[str, int, int, str, str]]:
    """Writes the report; yields split, shard, position, digest, fate of what is not kept."""
    with new_file(report) as temporary, open(temporary, "w", encoding="utf-8") as lines:
        for group in _groups(source, scratch, summary):
            summary.add(group, policy)
            for copy, fate in zip(group.copies, group.fates(policy), strict=True):
                lines.write(_report_line(group, copy, fate))
                if fate != KEPT:
                    yield copy.split, copy.shard, copy.position, copy.sha256, fate


def _groups(source: str, scratch: str, summary: Summary) -> Iterator[Group]:
    """The copies of each picture that has any, in the order of the digests."""
    rows = sorted_rows(_indexed(source, summary), scratch)
    for _, group in itertools.groupby(rows, key=itemgetter(0)):
        copies = list(group)
        if len(copies) > 1:
            yield Group.of(Copy(*row) for row in copies)


def _indexed(source: str, summary: Summary) -> Iterator[tuple]:
    """The fields of a `Copy` for every file that may be used; counts all files."""
    for shard, path in enumerate(ingest.index_files(source)):
        positions = Counter()
        for entry in ingest.read_index(path):
            split = entry["split"]
            place = (split, shard, positions[split])
            positions[split] += 1
            if entry["bytes"] and entry["class"]:
                yield entry["sha256"], entry["uri"], entry["class"], *place
        summary.listed.update(positions)


def _decisions_file(scratch: str, split: str, shard: int) -> str:
    return os.path.join(scratch, f"copies-{split}-{shard:05d}.json")


def _add_names(names: list[str], group: Group) -> None:
    names.extend(copy.uri for copy in group.copies[: _NAMES_IN_MESSAGE - len(names)])


def _report_line(group: Group, copy: Copy, fate: str) -> str:
    entry = {
        "sha256": copy.sha256,
        "uri": copy.uri,
        "class": copy.class_text,
        "split": copy.split,
        "fate": fate,
        "different_labels": group.different_labels,
        "both_splits": group.both_splits,
    }
    return json.dumps(entry, ensure_ascii=False) + "\n"
