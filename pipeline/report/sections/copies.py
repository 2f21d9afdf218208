"""Copies of pictures, and those that stand under different labels."""

from typing import Any

from pipeline.report import label_conflicts
from pipeline.report.reported_run import ReportedRun


def view(run: ReportedRun) -> dict[str, Any] | None:
    """Values of the template; None where there are no copies with different labels."""
    copies = run.summary.get("copies", [])
    if not copies:
        return None
    conflicts = label_conflicts.view(
        run.quarantine_folder, run.source_records, run.config.preprocessing
    )
    pictures = (run.summary.get("label_conflicts") or {}).get("pictures", 0)
    return {
        "copies": copies,
        "label_conflicts": conflicts,
        "hidden_conflicts": max(pictures - len(conflicts), 0),
    }
