"""The slices that are worse than the baseline, in sentences."""

from typing import Any

from pipeline.report.reported_run import ReportedRun


def view(run: ReportedRun) -> dict[str, Any] | None:
    """Values of the template; None where no slice is worse."""
    worse = run.judged.worse_slices() if run.judged is not None else []
    return {"worse": worse} if worse else None
