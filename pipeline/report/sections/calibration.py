"""Whether the model is right as often as it says."""

from typing import Any

from pipeline.report import charts
from pipeline.report.reported_run import ReportedRun


def view(run: ReportedRun) -> dict[str, Any] | None:
    """Values of the template; None where nothing was evaluated."""
    if run.judged is None:
        return None
    diagram = charts.reliability_diagram(run.judged.calibration)
    return {"judged": run.judged, "diagram": diagram} if diagram is not None else None
