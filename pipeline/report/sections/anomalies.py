"""What is unusual about the images."""

from typing import Any

from pipeline.report.reported_run import ReportedRun


def view(run: ReportedRun) -> dict[str, Any] | None:
    """Values of the template; None where nothing is unusual."""
    return {"summary": run.summary} if run.summary["anomalies"] else None
