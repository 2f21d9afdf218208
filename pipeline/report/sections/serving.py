"""How fast the exported model answers, and its other exports."""

from typing import Any

from pipeline.report.reported_run import ReportedRun


def view(run: ReportedRun) -> dict[str, Any] | None:
    """Values of the template; None where nothing was measured."""
    check = run.serving_check
    return {"serving": check} if check is not None and check.get("latency_ms") else None
