"""The resolved config."""

from typing import Any

from pipeline import config_file
from pipeline.report.reported_run import ReportedRun


def view(run: ReportedRun) -> dict[str, Any]:
    """Values of the template."""
    return {"config": config_file.dump(run.config)}
