"""The most confident mistakes, as pictures."""

from typing import Any

from components.evaluator import mistakes
from pipeline.report import pictures
from pipeline.report.reported_run import ReportedRun

MAX_PICTURES = 24


def view(run: ReportedRun) -> dict[str, Any] | None:
    """Values of the template; None where nothing was evaluated, or all is right."""
    if run.predictions is None:
        return None
    rows, count = mistakes.most_confident(run.predictions, MAX_PICTURES)
    if not rows:
        return None
    shown = pictures.with_images(run.dataset, rows, run.config.preprocessing)
    return {"mistakes": shown, "count": count}
