"""Images that cannot be used: listed with their reason, and counted."""

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from preprocessing import features
from preprocessing.files.external_sort import sorted_rows
from preprocessing.files.new_file import new_file
from preprocessing.stage import copies
from preprocessing.stage.counts import Counts

# Reason of a file whose bytes never arrived; most other reasons are those of images.unusable.
UNREADABLE = "unreadable file"
NO_CLASS = "no class"

_NAMES_IN_MESSAGE = 10


def write_quarantine(entries: Iterable[dict[str, Any]], folder: str, scratch: str) -> str:
    """Writes the quarantine, one object per line, sorted by URI and SHA-256.

    Args:
      entries: with `uri`, `sha256`, `bytes`, `class`, `split`, `reason` and `detail`.
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
      One line with a summary by reason and the first names, or None.
    """
    total = counts.total
    conflicts = counts.reasons[copies.CONFLICT]
    bad = total["quarantined"] - conflicts
    if bad > max_bad_fraction * total["seen"]:
        reasons = counts.reasons - Counter({copies.CONFLICT: conflicts})
        more = f" and {conflicts} {copies.CONFLICT}, which do not count" if conflicts else ""
        return (
            f"at most {max_bad_fraction:.2%} of the images may be unusable "
            f"(preprocessing.max_bad_fraction). Received: {bad} of {total['seen']} "
            f"({_by_reason(reasons)}){more}; the first: {_first_names(path, copies.CONFLICT)}"
        )
    for split, of_split in counts.splits.items():
        if not of_split["used"]:
            return (
                f"the {split} split must have at least one usable image. Received: "
                f"{of_split['seen']}, none usable; unusable in all splits: "
                f"{_by_reason(counts.reasons) or 'none'}; the first: {_first_names(path) or 'none'}"
            )
    return None


def _by_reason(reasons: Counter) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))


def _first_names(path: str, other_reason: str | None = None) -> str:
    """The first names in a quarantine, of another reason than the given one."""
    entries = (entry for entry in read_quarantine(path) if entry["reason"] != other_reason)
    return ", ".join(entry["uri"] for entry in itertools.islice(entries, _NAMES_IN_MESSAGE))
