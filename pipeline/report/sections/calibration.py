"""Whether the model is right as often as it says."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report.reported_run import ReportedRun


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


def view(run: ReportedRun) -> dict[str, Any] | None:
    """Values of the template; None where nothing was evaluated."""
    diagram = reliability_diagram(run.judged.calibration) if run.judged is not None else None
    return {"judged": run.judged, "diagram": diagram} if diagram is not None else None


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
