"""Images that cannot be used: listed with their reason, and counted."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from preprocessing import features
from preprocessing.files.external_sort import sorted_rows
from preprocessing.files.new_file import new_file
from preprocessing.problems import Problem, ProblemCounts
from preprocessing.stage import copies
from preprocessing.stage.counts import Counts


def write_quarantine(entries: Iterable[dict[str, Any]], folder: str, scratch: str) -> str:
    """Writes the quarantine, one object per line, sorted by URI and SHA-256.

    Args:
      entries: with `uri`, `sha256`, `bytes`, `class`, `split`, `reason` and `detail`, and `shard`
        and `position` of its source record (see `copies.Copy`).
      folder: gets `quarantine.jsonl`, empty where there are no entries.
      scratch: folder for temporary files.

    Returns:
      The path of the file.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    path = str(Path(folder) / features.QUARANTINE_FILE)
    # The number keeps entries that are equal so far in the order in which they came.
    rows = (
        (entry["uri"], entry["sha256"], number, json.dumps(entry, ensure_ascii=False))
        for number, entry in enumerate(entries)
    )
    with new_file(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.writelines(f"{row[-1]}\n" for row in sorted_rows(rows, scratch))
    return path


def read_quarantine(path: str) -> Iterator[dict[str, Any]]:
    """Yields the entries of a file that `write_quarantine` wrote."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def reason_to_stop(path: str, counts: Counts, max_bad_fraction: float) -> str | None:
    """Whether so many images are bad that it cannot be chance, or that nothing is left.

    Copies with different labels do not count as bad: that they are not used is what the person
    asked for with `data.on_duplicate: drop`.

    Args:
      path: of the quarantine.
      counts: what became of the images.
      max_bad_fraction: largest allowed share of bad images, 0 to 1.

    Returns:
      One line with the reasons and the first names of each, or None.
    """
    total = counts.total
    conflicts = counts.reasons[copies.CONFLICT]
    bad = total["quarantined"] - conflicts
    if bad > max_bad_fraction * total["seen"]:
        more = f"; {conflicts} {copies.CONFLICT} do not count" if conflicts else ""
        return (
            f"at most {max_bad_fraction:.2%} of the images may be unusable "
            f"(preprocessing.max_bad_fraction). Received: {bad} of {total['seen']}: "
            f"{_problems(path, copies.CONFLICT)}{more}"
        )
    for split, of_split in counts.splits.items():
        if not of_split["used"]:
            return (
                f"the {split} split must have at least one usable image. Received: "
                f"{of_split['seen']}, none usable; unusable in all splits: "
                f"{_problems(path) if total['quarantined'] else 'none'}"
            )
    return None


def _problems(path: str, other_reason: str | None = None) -> ProblemCounts:
    """What is in a quarantine, except for one reason."""
    problems = ProblemCounts()
    for entry in read_quarantine(path):
        if entry["reason"] != other_reason:
            problems.add(entry["uri"], Problem(entry["reason"], entry["detail"] or ""))
    return problems
