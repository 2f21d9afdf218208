"""Images that cannot be used: set aside with their reason, and counted."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from preprocessing import records
from preprocessing.errors import InputError

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


def check_rate(
    entries: list[dict[str, Any]], seen: int, max_bad_fraction: float, written_to: str
) -> None:
    """Stops a run whose images are bad too often for it to be chance.

    Args:
      entries: the quarantine.
      seen: number of images, good and bad.
      max_bad_fraction: largest allowed share of bad ones, 0 to 1.
      written_to: path of the quarantine file, for the message.

    Raises:
      InputError: the share is larger; with a summary by reason and the first names.
    """
    if len(entries) <= max_bad_fraction * seen:
        return
    reasons = Counter(entry["reason"] for entry in entries)
    summary = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    names = ", ".join(entry["uri"] for entry in in_order(entries)[:_NAMES_IN_MESSAGE])
    raise InputError(
        f"at most {max_bad_fraction:.2%} of the images may be unusable "
        f"(preprocessing.max_bad_fraction). Received: {len(entries)} of {seen} ({summary}); "
        f"the first: {names}; all of them: {written_to}"
    )


def in_order(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The entries, sorted by URI."""
    return sorted(entries, key=lambda entry: (entry["uri"], entry["sha256"]))
