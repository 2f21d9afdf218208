"""Which classes are taken for which."""

from collections.abc import Mapping, Sequence
from typing import Any

from components.evaluator import verdict
from pipeline.report import charts
from pipeline.report.reported_run import ReportedRun

# A page has to stay readable; the whole matrix lies beside it in the artifacts.
MAX_MATRIX_CLASSES = 40
MAX_CONFUSIONS = 20


def view(run: ReportedRun) -> dict[str, Any] | None:
    """Values of the template; None where nothing was evaluated."""
    if run.judged is None:
        return None
    names = run.class_names
    cells = run.output_json("Evaluator", "verdict", verdict.CONFUSION_FILE) or []
    small = len(names) <= MAX_MATRIX_CLASSES
    matrix = charts.heat_map(cells, names) if small else []
    found = [] if small else confusions(cells, names)
    return {"names": names, "matrix": matrix, "confusions": found} if matrix or found else None


def confusions(
    cells: Sequence[Mapping[str, int]], names: Sequence[str]
) -> list[tuple[str, str, int]]:
    """The most frequent mistakes: what it is, what the model says, how often."""
    wrong = [
        cell
        for cell in cells
        if cell["actual"] != cell["predicted"] and min(cell["actual"], cell["predicted"]) >= 0
    ]
    wrong.sort(key=lambda cell: (-cell["count"], cell["actual"], cell["predicted"]))
    return [
        (names[cell["actual"]], names[cell["predicted"]], cell["count"])
        for cell in wrong[:MAX_CONFUSIONS]
    ]
