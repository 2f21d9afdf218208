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
    uris = {row["sha256"]: row["uri"] for row in rows}
    images = pictures.of_images(run.dataset, uris, run.config.preprocessing)
    shown = [{**row, "image": images.get(row["sha256"], "")} for row in rows]
    return {"mistakes": shown, "count": count}
