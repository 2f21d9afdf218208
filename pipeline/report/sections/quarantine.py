"""The images that could not be used, with what can be seen of them."""

import itertools
import json
from pathlib import Path
from typing import Any

from pipeline.report import pictures
from pipeline.report.reported_run import ReportedRun
from preprocessing import features

# A page has to stay readable; the whole list lies beside it in the artifacts.
MAX_ROWS = 100
MAX_PICTURES = 24


def view(run: ReportedRun) -> dict[str, Any] | None:
    """Values of the template; None where all images were used."""
    folder = run.quarantine_folder
    rows, hidden = _first_lines(folder / features.QUARANTINE_FILE, MAX_ROWS) if folder else ([], 0)
    if not rows:
        return None
    shown = pictures.of_quarantine(run.source_records, rows, run.config.preprocessing, MAX_PICTURES)
    has_images = any(row["image"] for row in shown)
    return {"quarantine": shown, "hidden_quarantine": hidden, "has_images": has_images}


def _first_lines(path: Path, limit: int) -> tuple[list[dict[str, Any]], int]:
    """The first entries of a file of JSON lines, and how many more there are."""
    if not path.exists():
        return [], 0
    with path.open(encoding="utf-8") as file:
        first = [json.loads(line) for line in itertools.islice(file, limit)]
        return first, sum(1 for _ in file)
