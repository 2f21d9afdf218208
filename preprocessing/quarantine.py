"""Images that cannot be used: set aside with their reason, and counted."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from preprocessing import records

QUARANTINE_FILE = "quarantine.jsonl"
# Reason of a file whose bytes never arrived; the other reasons are those of image_ops.
UNREADABLE = "unreadable file"

_NAMES_IN_MESSAGE = 10


def write_quarantine(entries: list[dict[str, Any]], folder: str) -> str:
    """Writes the quarantine, an object a line, sorted by URI.

    Args:
      entries: with `uri`, `sha256`, `bytes`, `class`, `split`, `reason` and `detail`.
      folder: gets `quarantine.jsonl`, empty where there are no entries.

    Returns:
      The path of the file.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    path = str(Path(folder) / QUARANTINE_FILE)
    lines = (json.dumps(entry, ensure_ascii=False) + "\n" for entry in in_order(entries))
    records.write_text(path, "".join(lines))
    return path


def reason_to_stop(
    entries: list[dict[str, Any]], counts: dict[str, Any], max_bad_fraction: float
) -> str | None:
    """Whether so many images are bad that it cannot be chance, or that nothing is left.

    Args:
      entries: the quarantine.
      counts: of `beam_stage.count`.
      max_bad_fraction: largest allowed share of bad images, 0 to 1.

    Returns:
      One line with a summary by reason and the first names, or None.
    """
    reasons = Counter(entry["reason"] for entry in entries)
    summary = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    names = ", ".join(entry["uri"] for entry in in_order(entries)[:_NAMES_IN_MESSAGE])
    if len(entries) > max_bad_fraction * counts["seen"]:
        return (
            f"at most {max_bad_fraction:.2%} of the images may be unusable "
            f"(preprocessing.max_bad_fraction). Received: {len(entries)} of {counts['seen']} "
            f"({summary}); the first: {names}"
        )
    for split, of_split in counts["splits"].items():
        if not of_split["used"]:
            return (
                f"the {split} split must have at least one usable image. Received: "
                f"{of_split['seen']}, none usable; unusable in all splits: {summary or 'none'}; "
                f"the first: {names or 'none'}"
            )
    return None


def in_order(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The entries, sorted by URI."""
    return sorted(entries, key=lambda entry: (entry["uri"], entry["sha256"]))
