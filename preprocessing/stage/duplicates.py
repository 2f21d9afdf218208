"""Copies: files of the same bytes. Found in the index, before any picture is decoded.

Three kinds matter. Plain copies only weigh a picture twice. Copies in both splits let a model be
measured on what it was trained on. Copies with different labels are wrong at least once, and
nothing in the bytes says where. `data.on_duplicate` decides:

    keep   every copy is used; copies are counted and reported
    drop   one copy is used: the first by URI in the evaluation split, or in the training split
           where there is none. So a measurement keeps its images, and none of them is trained
           on. Copies with different labels all go to the quarantine: whichever was kept, its
           label would be there by chance
    fail   a single copy stops the run

A file without bytes (empty, or unreadable) or without a class cannot be used and is nobody's copy.
"""

import itertools
import json
import logging
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

from preprocessing import features
from preprocessing.files.external_sort import sorted_rows
from preprocessing.files.new_file import new_file, write_text
from preprocessing.ingest import ingest
from preprocessing.stage.copies import DROP, DROPPED, FAIL, KEEP, KEPT, Copy, Group

_NAMES_IN_MESSAGE = 10
# So many pairs of copies with different labels are named; the report file has all of them.
NAMED_PAIRS = 3


@dataclass
class Summary:
    """What the index says of copies.

    Attributes:
      policy: `keep`, `drop` or `fail`.
      listed: images by split, copies or not.
      duplicates: copies by split: all but one of each picture; under `drop` those that are
        dropped, so that a file is used, in quarantine or a duplicate.
      different_labels: files by split whose bytes stand under more than one class.
      both_splits: files by split whose bytes stand in more than one split.
      conflicts: pictures that stand under more than one class, however many copies each has.
      first_conflicts: a pair of copies of each of the first of them, at most `NAMED_PAIRS`.
      first_names: of copies, at most ten.
      first_odd_names: of copies with different labels or in both splits, at most ten.
    """

    policy: str = KEEP
    listed: Counter = field(default_factory=Counter)
    duplicates: Counter = field(default_factory=Counter)
    different_labels: Counter = field(default_factory=Counter)
    both_splits: Counter = field(default_factory=Counter)
    conflicts: int = 0
    first_conflicts: list[tuple[Copy, Copy]] = field(default_factory=list)
    first_names: list[str] = field(default_factory=list)
    first_odd_names: list[str] = field(default_factory=list)

    def add(self, group: Group) -> None:
        """Counts a group."""
        if self.policy == DROP:
            decided = zip(group.copies, group.decisions(DROP), strict=True)
            self.duplicates.update(copy.split for copy, what in decided if what == DROPPED)
        else:
            best = group.best
            self.duplicates.update(copy.split for copy in group.copies if copy != best)
        _add_names(self.first_names, group)
        if group.different_labels:
            self.different_labels.update(copy.split for copy in group.copies)
            self.conflicts += 1
            if len(self.first_conflicts) < NAMED_PAIRS:
                self.first_conflicts.append(group.conflict)
        if group.both_splits:
            self.both_splits.update(copy.split for copy in group.copies)
        if group.different_labels or group.both_splits:
            _add_names(self.first_odd_names, group)

    def as_json(self) -> dict[str, Any]:
        """What stands in `counts.json`.

        Returns:
          `seen`, `duplicates`, `different_labels` and `both_splits` as sums over the splits;
          `on_duplicate`, the policy; and `label_conflicts`: how many `files` of how many
          `pictures` have copies with different labels, and `pairs` of the first: two objects
          with `uri`, `class` and `split`.
        """
        pairs = [
            [{"uri": copy.uri, "class": copy.class_text, "split": copy.split} for copy in pair]
            for pair in self.first_conflicts
        ]
        files = self.different_labels.total()
        return {
            "seen": self.listed.total(),
            "duplicates": self.duplicates.total(),
            "different_labels": files,
            "both_splits": self.both_splits.total(),
            "on_duplicate": self.policy,
            "label_conflicts": {"files": files, "pictures": self.conflicts, "pairs": pairs},
        }

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
      report_folder: gets `duplicates.jsonl`: one object per copy with `sha256`, `uri`, `class`,
        `split`, `decision` (`kept`, `dropped` or `quarantined`), `different_labels`,
        `both_splits`, and `shard` and `position` of its source record (see `Copy`), sorted by
        digest and URI.

    Returns:
      The counts.
    """
    summary = Summary(policy)
    Path(report_folder).mkdir(parents=True, exist_ok=True)
    report = os.path.join(report_folder, features.DUPLICATES_FILE)
    decisions = sorted_rows(_decisions(source, scratch, report, summary), scratch)
    for (split, shard), rows in itertools.groupby(decisions, key=itemgetter(0, 1)):
        text = json.dumps([row[2:] for row in rows])
        write_text(_decisions_file(scratch, split, shard), text)
    if summary.first_names and policy != FAIL:
        logging.warning("%s (data.on_duplicate is %s)", summary.text(), policy)
    return summary


def reason_to_stop(summary: Summary) -> str | None:
    """One line where there are copies and the policy is `fail`, else None."""
    if summary.policy != FAIL or not summary.first_names:
        return None
    return (
        "no image may be there twice (data.on_duplicate is fail; keep and drop allow it). "
        f"Received: {summary.text()}"
    )


def read_decisions(scratch: str, split: str, shard: int) -> dict[int, tuple[str, str]]:
    """What a source shard leaves out: position of a record to its (SHA-256, decision)."""
    path = Path(_decisions_file(scratch, split, shard))
    if not path.exists():
        return {}
    rows = json.loads(path.read_text(encoding="utf-8"))
    return {position: (sha256, decision) for position, sha256, decision in rows}


def read_conflicts(report: str) -> Iterator[list[dict[str, Any]]]:
    """Yields the copies of each picture that stands under more than one class.

    Args:
      report: the `duplicates.jsonl` that `plan` wrote.
    """
    with open(report, encoding="utf-8") as lines:
        entries = map(json.loads, lines)
        for _, copies in itertools.groupby(entries, key=itemgetter("sha256")):
            group = list(copies)
            if group[0]["different_labels"]:
                yield group


def _decisions(
    source: str, scratch: str, report: str, summary: Summary
) -> Iterator[tuple[str, int, int, str, str]]:
    """Writes the report; yields split, shard, position, digest, decision of what is not kept."""
    with new_file(report) as temporary, open(temporary, "w", encoding="utf-8") as lines:
        for group in _groups(source, scratch, summary):
            summary.add(group)
            for copy, decision in zip(group.copies, group.decisions(summary.policy), strict=True):
                lines.write(_report_line(group, copy, decision))
                if decision != KEPT:
                    yield copy.split, copy.shard, copy.position, copy.sha256, decision


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
            position = (split, shard, positions[split])
            positions[split] += 1
            if entry["bytes"] and entry["class"] and not entry.get("problem"):
                yield entry["sha256"], entry["uri"], entry["class"], *position
        summary.listed.update(positions)


def _decisions_file(scratch: str, split: str, shard: int) -> str:
    return os.path.join(scratch, f"copies-{split}-{shard:05d}.json")


def _add_names(names: list[str], group: Group) -> None:
    names.extend(copy.uri for copy in group.copies[: _NAMES_IN_MESSAGE - len(names)])


def _report_line(group: Group, copy: Copy, decision: str) -> str:
    entry = {
        "sha256": copy.sha256,
        "uri": copy.uri,
        "class": copy.class_text,
        "split": copy.split,
        "decision": decision,
        "different_labels": group.different_labels,
        "both_splits": group.both_splits,
        "shard": copy.shard,
        "position": copy.position,
    }
    return json.dumps(entry, ensure_ascii=False) + "\n"
