"""The result of a run: its figures, the gate's rules, the serving check, where the model is."""

from typing import Any

from pipeline.report.reported_run import ReportedRun


def view(run: ReportedRun) -> dict[str, Any]:
    """Values of the template."""
    return {
        "summary": run.summary,
        "judged": run.judged,
        "serving": run.serving_check,
        "copies": run.summary.get("copies", []),
    }
