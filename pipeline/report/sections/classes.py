"""Recall and precision of the classes."""

from typing import Any

from pipeline.report.reported_run import ReportedRun

# A page has to stay readable; the whole list lies beside it in the artifacts.
MAX_ROWS = 200


def view(run: ReportedRun) -> dict[str, Any] | None:
    """Values of the template; None where nothing was evaluated."""
    if run.judged is None or not run.judged.classes:
        return None
    classes = run.judged.classes
    return {"classes": classes[:MAX_ROWS], "hidden_classes": max(len(classes) - MAX_ROWS, 0)}
