"""Images of the evaluation split whose label is suspected to be wrong."""

import itertools
from typing import Any

from components.evaluator import label_errors
from pipeline.report import pictures
from pipeline.report.reported_run import ReportedRun

MAX_PICTURES = 24
MAX_PAIRS = 20


def view(run: ReportedRun) -> dict[str, Any] | None:
    """Values of the template; None where nothing was evaluated, or no label is suspected."""
    if run.predictions is None:
        return None
    found = label_errors.find(run.predictions, MAX_PICTURES)
    if not found.suspected:
        return None
    uris = {row["sha256"]: row["uri"] for row in found.first}
    images = pictures.of_images(run.dataset, uris, run.config.preprocessing)
    shown = [{**row, "image": images.get(row["sha256"], "")} for row in found.first]
    pairs = [(*pair, count) for pair, count in itertools.islice(found.pairs.items(), MAX_PAIRS)]
    return {"found": found, "suspects": shown, "pairs": pairs}
