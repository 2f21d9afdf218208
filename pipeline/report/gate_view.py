"""What the report shows of an evaluation: the gate's rules, slices, classes, calibration."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from components.evaluator.verdict import Verdict, slice_name
from pipeline.report import charts

# A page has to stay readable; the whole lists lie beside it in the artifacts.
MAX_MATRIX_CLASSES = 40
MAX_CLASS_ROWS = 200
MAX_SLICE_ROWS = 100
MAX_CONFUSIONS = 20
# The class slices stand in the table of classes.
_CLASS_FEATURE = "image/class/text"


@dataclasses.dataclass(frozen=True)
class Bin:
    """A bar of the reliability diagram, in pixels from the upper left corner.

    Attributes:
      x: left edge.
      width: width.
      accuracy_y: where the share of right answers is.
      confidence_y: where the mean probability of the answers is.
      share: images in the bin over all images, 0 to 1.
      text: what a pointer on it shows.
    """

    x: float
    width: float
    accuracy_y: float
    confidence_y: float
    share: float
    text: str


@dataclasses.dataclass(frozen=True)
class Diagram:
    """The reliability diagram: a square of `side` pixels, with a margin at the left and below."""

    bins: list[Bin]
    ticks: list[tuple[float, float, str]]
    side: int = 280
    margin: int = 40


def view(
    judged: Verdict | None, cells: Sequence[Mapping[str, int]] | None, names: Sequence[str]
) -> dict[str, Any]:
    """Values of the template's parts about the gate.

    Args:
      judged: the verdict, None where the run did not get as far.
      cells: of the confusion matrix, as `measures.confusion` gives them.
      names: the class names, by index.
    """
    if judged is None:
        return {"judged": None}
    slices = [
        {**entry, "name": slice_name(entry["slice"])}
        for entry in judged.slices
        if list(entry["slice"]) != [_CLASS_FEATURE]
    ]
    small = len(names) <= MAX_MATRIX_CLASSES
    return {
        "judged": judged,
        "worse": judged.worse_slices(),
        "slices": slices[:MAX_SLICE_ROWS],
        "hidden_slices": max(len(slices) - MAX_SLICE_ROWS, 0),
        "classes": judged.classes[:MAX_CLASS_ROWS],
        "hidden_classes": max(len(judged.classes) - MAX_CLASS_ROWS, 0),
        "names": names,
        "matrix": charts.heat_map(cells or [], names) if small else [],
        "confusions": [] if small else confusions(cells or [], names),
        "diagram": reliability_diagram(judged.calibration),
    }


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


def reliability_diagram(bins: Sequence[Mapping[str, float]]) -> Diagram | None:
    """Accuracy over confidence, None where no image is in any bin.

    Args:
      bins: as `tally.reliability` gives them.
    """
    total = sum(entry["count"] for entry in bins)
    if not total:
        return None
    diagram = Diagram([], [])
    side, margin = diagram.side, diagram.margin
    for entry in bins:
        if not entry["count"]:
            continue
        text = (
            f"{entry['count']} images: {entry['accuracy']:.3f} right at a mean probability of "
            f"{entry['confidence']:.3f}"
        )
        diagram.bins.append(
            Bin(
                x=round(margin + side * entry["low"], 1),
                width=round(side * (entry["high"] - entry["low"]) - 1, 1),
                accuracy_y=round(side * (1 - entry["accuracy"]), 1),
                confidence_y=round(side * (1 - entry["confidence"]), 1),
                share=round(entry["count"] / total, 3),
                text=text,
            )
        )
    for step in range(6):
        value = step / 5
        x, y = margin + side * value, side * (1 - value)
        diagram.ticks.append((round(x, 1), round(y, 1), f"{value:g}"))
    return diagram
