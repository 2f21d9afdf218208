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
    shown = pictures.with_images(run.dataset, found.first, run.config.preprocessing)
    pairs = [(*pair, count) for pair, count in itertools.islice(found.pairs.items(), MAX_PAIRS)]
    return {"found": found, "suspects": shown, "pairs": pairs}
