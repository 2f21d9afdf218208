"""Which classes are taken for which: a picture of all of them, and the most frequent mistakes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from components.evaluator import verdict
from pipeline.report.reported_run import ReportedRun

# The page has to stay small, whatever the corpus; the whole matrix lies in the artifacts.
MAX_CLASSES = 2_000
MAX_CELLS = 60_000
MAX_NAME_CHARS = 60
MAX_CONFUSIONS = 20

Cells = Sequence[Mapping[str, int]]


def view(run: ReportedRun) -> dict[str, Any] | None:
    """Values of the template; None where nothing was evaluated."""
    if run.judged is None:
        return None
    names = run.class_names
    cells = run.output_json("Evaluator", "verdict", verdict.CONFUSION_FILE) or []
    answered = [cell for cell in cells if _is_inside(cell, len(names))]
    if not answered:
        return None
    chosen = chosen_classes(answered, len(names))
    drawn = matrix(answered, names, chosen)
    return {
        "matrix": drawn,
        "classes": len(names),
        "hidden_classes": len(names) - len(chosen),
        "images": sum(cell["count"] for cell in answered),
        "wrong": sum(c["count"] for c in answered if c["actual"] != c["predicted"]),
        "confusions": confusions(answered, names),
    }


def chosen_classes(cells: Cells, number: int) -> list[int]:
    """The indices of the classes that are drawn: all, or those with the most mistakes."""
    if number <= MAX_CLASSES:
        return list(range(number))
    mistakes: Counter[int] = Counter()
    for cell in cells:
        if cell["actual"] != cell["predicted"]:
            mistakes[cell["actual"]] += cell["count"]
            mistakes[cell["predicted"]] += cell["count"]
    worst = sorted(range(number), key=lambda index: (-mistakes[index], index))
    return sorted(worst[:MAX_CLASSES])


def matrix(cells: Cells, names: Sequence[str], chosen: Sequence[int]) -> dict[str, Any]:
    """What the picture is drawn from.

    Args:
      cells: `actual`, `predicted` (class indices) and `count` of the cells that are not empty.
      names: the class names.
      chosen: the indices of the classes that are drawn.

    Returns:
      `names` of the drawn classes; `totals`, the images of each; and `cells`, as lists of row,
      column and count, at most `MAX_CELLS`: the ones with the most images.
    """
    totals: Counter[int] = Counter()
    for cell in cells:
        totals[cell["actual"]] += cell["count"]
    place = {index: number for number, index in enumerate(chosen)}
    drawn = [
        [place[c["actual"]], place[c["predicted"]], c["count"]]
        for c in cells
        if c["actual"] in place and c["predicted"] in place
    ]
    drawn.sort(key=lambda cell: (-cell[2], cell[0], cell[1]))
    return {
        "names": [_short(names[index]) for index in chosen],
        "totals": [totals[index] for index in chosen],
        "cells": drawn[:MAX_CELLS],
        "hidden": max(len(drawn) - MAX_CELLS, 0),
    }


def confusions(cells: Cells, names: Sequence[str]) -> list[tuple[str, str, int]]:
    """The most frequent mistakes: what it is, what the model says, how often."""
    wrong = [c for c in cells if c["actual"] != c["predicted"] and _is_inside(c, len(names))]
    wrong.sort(key=lambda cell: (-cell["count"], cell["actual"], cell["predicted"]))
    return [
        (names[cell["actual"]], names[cell["predicted"]], cell["count"])
        for cell in wrong[:MAX_CONFUSIONS]
    ]


def _is_inside(cell: Mapping[str, int], number: int) -> bool:
    """Images without an answer, and labels that the model does not know, have no cell."""
    return 0 <= cell["actual"] < number and 0 <= cell["predicted"] < number


def _short(name: str) -> str:
    return name if len(name) <= MAX_NAME_CHARS else f"{name[:MAX_NAME_CHARS]}…"
