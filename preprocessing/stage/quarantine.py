"""Images that cannot be used: set aside with their reason, and counted."""

import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from preprocessing import features
from preprocessing.files.external_sort import sorted_rows
from preprocessing.files.new_file import new_file
from preprocessing.stage.counts import Counts

# Reason of a file whose bytes never arrived; most other reasons are those of images.unusable.
UNREADABLE = "unreadable file"
NO_CLASS = "no class"

_NAMES_IN_MESSAGE = 10


def write_quarantine(entries: Iterable[dict[str, Any]], folder: str, scratch: str) -> str:
    """Writes the quarantine, an object a line, sorted by URI and SHA-256.

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

    Args:
      path: of the quarantine.
      counts: what became of the images.
      max_bad_fraction: largest allowed share of bad images, 0 to 1.

    Returns:
      One line with a summary by reason and the first names, or None.
    """
    summary = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.reasons.items()))
    first = itertools.islice(read_quarantine(path), _NAMES_IN_MESSAGE)
    names = ", ".join(entry["uri"] for entry in first)
    total = counts.total
    if total["quarantined"] > max_bad_fraction * total["seen"]:
        return (
            f"at most {max_bad_fraction:.2%} of the images may be unusable "
            f"(preprocessing.max_bad_fraction). Received: {total['quarantined']} of "
            f"{total['seen']} ({summary}); the first: {names}"
        )
    for split, of_split in counts.splits.items():
        if not of_split["used"]:
            return (
                f"the {split} split must have at least one usable image. Received: "
                f"{of_split['seen']}, none usable; unusable in all splits: {summary or 'none'}; "
                f"the first: {names or 'none'}"
            )
    return None
