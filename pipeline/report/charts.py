"""Numbers as drawings: what the report's template needs to draw SVG and tables.

Why not a plotting library: the page has three plain charts, which are drawn in the template with
its colours and fonts; Matplotlib takes a second to import and draws with its own, and an
interactive library embeds megabytes of JavaScript.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH, HEIGHT = 720, 220
MARGIN_LEFT, MARGIN_RIGHT, MARGIN_TOP, MARGIN_BOTTOM = 46, 12, 10, 28


@dataclasses.dataclass(frozen=True)
class Curve:
    """A line in a chart.

    Attributes:
      name: for the legend.
      points: as SVG's polyline takes them.
      end: the last point, which is all there is to see of a line with one point.
      last: the last value as text.
    """

    name: str
    points: str
    end: tuple[float, float]
    last: str


@dataclasses.dataclass(frozen=True)
class Chart:
    """A line chart: ticks are (position in pixels, text)."""

    title: str
    curves: list[Curve]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = MARGIN_LEFT
    right: int = WIDTH - MARGIN_RIGHT
    bottom: int = HEIGHT - MARGIN_BOTTOM


def line_chart(
    title: str, log: Sequence[Mapping[str, Any]], keys: Mapping[str, str], x_key: str = "epoch"
) -> Chart | None:
    """A chart of values in a training log.

    Args:
      title: what it shows.
      log: entries; one that lacks a key, or has no finite number there, is no point of its line.
      keys: key in the log to name of the line.
      x_key: key of the horizontal axis.

    Returns:
      The chart, or None if there is no line with a point.
    """
    series = {
        name: [(float(e[x_key]), float(e[key])) for e in log if _finite(e, x_key, key)]
        for key, name in keys.items()
    }
    series = {name: points for name, points in series.items() if points}
    if not series:
        return None
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in series.values() for _, y in points]
    x_ticks, y_ticks = _ticks(0.0, max(xs)), _ticks(min(0.0, *ys), max(ys))
    left, right = MARGIN_LEFT, WIDTH - MARGIN_RIGHT
    top, bottom = MARGIN_TOP, HEIGHT - MARGIN_BOTTOM

    def x_px(x: float) -> float:
        return round(left + (right - left) * x / max(x_ticks[-1], max(xs)), 1)

    def y_px(y: float) -> float:
        low, high = y_ticks[0], y_ticks[-1]
        return round(bottom - (bottom - top) * (y - low) / (high - low), 1)

    curves = []
    for name, points in series.items():
        pixels = [(x_px(x), y_px(y)) for x, y in points]
        line = " ".join(f"{x},{y}" for x, y in pixels)
        curves.append(Curve(name, line, pixels[-1], f"{points[-1][1]:.4g}"))
    return Chart(
        title,
        curves,
        [(x_px(x), f"{x:g}") for x in x_ticks],
        [(y_px(y), f"{y:g}") for y in y_ticks],
    )


def heat_map(
    cells: Sequence[Mapping[str, int]], names: Sequence[str]
) -> list[tuple[str, list[tuple[int, float]]]]:
    """A confusion matrix by rows.

    Args:
      cells: `actual`, `predicted` (class indices) and `count` of the cells that are not empty.
      names: the class names.

    Returns:
      For each actual class its name and, for each predicted class, the count and its share of
      the row, 0 to 1.
    """
    counts = [[0] * len(names) for _ in names]
    for cell in cells:
        if 0 <= cell["actual"] < len(names) and 0 <= cell["predicted"] < len(names):
            counts[cell["actual"]][cell["predicted"]] += cell["count"]
    rows = []
    for name, row in zip(names, counts, strict=True):
        total = max(sum(row), 1)
        rows.append((name, [(count, round(count / total, 3)) for count in row]))
    return rows


def _finite(entry: Mapping[str, Any], *keys: str) -> bool:
    return all(isinstance(entry.get(k), int | float) and math.isfinite(entry[k]) for k in keys)


def _ticks(low: float, high: float) -> list[float]:
    """About five round numbers that enclose [low, high]."""
    span = max(high - low, 1e-9)
    rough = span / 4
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(s * magnitude for s in (1, 2, 2.5, 5, 10) if s * magnitude >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]
