"""Top-1 of the slices, and its change against the baseline."""

from typing import Any

from components.evaluator.verdict import slice_name
from pipeline.report.reported_run import ReportedRun

# A page has to stay readable; the whole list lies beside it in the artifacts.
MAX_ROWS = 100
# The class slices stand in the table of classes.
_CLASS_FEATURE = "image/class/text"


def view(run: ReportedRun) -> dict[str, Any] | None:
    """Values of the template; None where there are no slices."""
    if run.judged is None:
        return None
    slices = [
        {**entry, "name": slice_name(entry["slice"])}
        for entry in run.judged.slices
        if list(entry["slice"]) != [_CLASS_FEATURE]
    ]
    if not slices:
        return None
    return {
        "judged": run.judged,
        "slices": slices[:MAX_ROWS],
        "hidden_slices": max(len(slices) - MAX_ROWS, 0),
    }
