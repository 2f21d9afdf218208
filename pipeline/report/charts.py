"""Charts of a page, as Vega-Lite draws them: what is shown, without colours.

`templates/script/charts.js` draws them in the page's colours, light or dark. Each chart has its
numbers as a table too, for who cannot see it.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

# More are thinned out: a long training has tens of thousands, and a screen some hundred columns.
MAX_POINTS = 400
MAX_TABLE_ROWS = 50
HEIGHT_PX = 200
# What `charts.js` gives a look to.
STAGE_STYLE, GUIDE_STYLE, SECOND_STYLE, LABEL_STYLE = "stage", "guide", "second", "label"


@dataclasses.dataclass(frozen=True)
class Table:
    """Numbers of a chart; `hidden` rows are left out."""

    head: list[str]
    rows: list[list[str]]
    hidden: int = 0


@dataclasses.dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
      title: its heading.
      description: what it shows, in a sentence.
      spec: for Vega-Lite.
      table: its numbers.
    """

    title: str
    description: str
    spec: dict[str, Any]
    table: Table


@dataclasses.dataclass(frozen=True)
class Stage:
    """A stage of a training: the value of the horizontal axis where it starts, and its name."""

    start: float
    name: str


def line_chart(
    title: str,
    log: Sequence[Mapping[str, Any]],
    keys: Mapping[str, str],
    *,
    x_key: str = "epoch",
    stages: Sequence[Stage] = (),
    steps: bool = False,
) -> Chart | None:
    """A chart of values in a training log.

    Args:
      title: what it shows.
      log: entries; one that lacks a key, or has no finite number there, is no point of its line.
      keys: key in the log to name of the line.
      x_key: key of the horizontal axis, and its title.
      stages: are marked where they start.
      steps: a value held since the one before, instead of a straight line to it, and is seen
        from zero.

    Returns:
      The chart, or None if there is no line with a point.
    """
    series = {
        name: [(float(e[x_key]), float(e[key])) for e in log if _finite(e, x_key, key)]
        for key, name in keys.items()
    }
    series = {name: thinned(points) for name, points in series.items() if points}
    if not series:
        return None
    values = [{"x": x, "y": y, "line": name} for name, p in series.items() for x, y in p]
    names = list(series)
    marks: dict[str, Any] = {"type": "line", "point": len(values) <= 40, "tooltip": True}
    if steps:
        marks["interpolate"] = "step-before"
    encoding = {
        "x": {"field": "x", "type": "quantitative", "title": x_key},
        "y": {"field": "y", "type": "quantitative", "title": None, "scale": {"zero": steps}},
    }
    if len(names) > 1:
        line: dict[str, Any] = {"field": "line", "type": "nominal", "title": None, "sort": names}
        line["legend"] = {"symbolType": "stroke"}
        encoding |= {"color": line, "strokeDash": line}
    layers = [*_stage_marks(stages), {"mark": marks, "encoding": encoding}]
    last = ", ".join(f"{name} {points[-1][1]:.4g}" for name, points in series.items())
    return Chart(
        title,
        f"{title}; at the end: {last}",
        full_spec({"data": {"values": values}, "layer": layers}),
        _table(x_key, series),
    )


def _stage_marks(stages: Sequence[Stage]) -> list[dict[str, Any]]:
    if not stages:
        return []
    data = {"values": [{"start": stage.start, "name": stage.name} for stage in stages]}
    x = {"x": {"field": "start", "type": "quantitative"}}
    name = {"text": {"field": "name"}, "y": {"value": 0}}
    return [
        {"data": data, "mark": {"type": "rule", "style": STAGE_STYLE}, "encoding": x},
        {
            "data": data,
            "mark": {"type": "text", "style": STAGE_STYLE, "align": "left", "dx": 4, "dy": -6},
            "encoding": {**x, **name},
        },
    ]


def reliability_diagram(bins: Sequence[Mapping[str, float]]) -> Chart | None:
    """Accuracy over confidence, None where no image is in any bin.

    Args:
      bins: as `tally.reliability` gives them.
    """
    filled = [dict(entry) for entry in bins if entry["count"]]
    if not filled:
        return None
    title = "Share of right answers over the model's probability"
    axis = {"type": "quantitative", "scale": {"domain": [0, 1]}}
    x = {"field": "low", **axis, "title": "probability that the model gives its answer"}
    bars = {
        "mark": {"type": "rect", "tooltip": True},
        "encoding": {
            "x": x,
            "x2": {"field": "high"},
            "y": {"field": "accuracy", **axis, "title": "right answers"},
            "y2": {"datum": 0},
            "opacity": {
                "field": "count",
                "type": "quantitative",
                "title": "images",
                "scale": {"domainMin": 0, "range": [0.25, 1]},
            },
        },
    }
    confidence = {
        "mark": {"type": "rule", "style": SECOND_STYLE, "tooltip": True},
        "encoding": {"x": x, "x2": {"field": "high"}, "y": {"field": "confidence", **axis}},
    }
    diagonal = {
        "data": {"values": [{"low": 0, "high": 0}, {"low": 1, "high": 1}]},
        "mark": {"type": "line", "style": GUIDE_STYLE},
        "encoding": {"x": {"field": "low", **axis}, "y": {"field": "high", **axis}},
    }
    spec = full_spec({"data": {"values": filled}, "layer": [bars, confidence, diagonal]}) | {
        "height": 300
    }
    rows = [
        [f"{e['low']:.2f} to {e['high']:.2f}", f"{e['count']:.0f}", f"{e['accuracy']:.4f}",
         f"{e['confidence']:.4f}"]
        for e in filled
    ]  # fmt: skip
    head = ["Probability", "Images", "Right answers", "Mean probability"]
    return Chart(
        title, f"{title}; on the diagonal it is as right as it says", spec, Table(head, rows)
    )


def thinned(points: Sequence[Any], limit: int = MAX_POINTS) -> list[Any]:
    """At most `limit` of the points, evenly chosen, the first and the last among them."""
    if len(points) <= limit:
        return list(points)
    return [points[round(i * (len(points) - 1) / (limit - 1))] for i in range(limit)]


def full_spec(parts: Mapping[str, Any]) -> dict[str, Any]:
    """A chart as wide as there is room, of these parts of a Vega-Lite spec."""
    autosize = {"type": "fit-x", "contains": "padding"}
    return {"width": "container", "height": HEIGHT_PX, "autosize": autosize, **parts}


def _table(x_key: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> Table:
    by_x: dict[float, dict[str, float]] = {}
    for name, points in series.items():
        for x, y in points:
            by_x.setdefault(x, {})[name] = y
    rows = [
        [f"{x:g}", *(f"{values[n]:.4g}" if n in values else "" for n in series)]
        for x, values in sorted(by_x.items())
    ]
    shown = thinned(rows, MAX_TABLE_ROWS)
    return Table([x_key, *series], shown, len(rows) - len(shown))


def _finite(entry: Mapping[str, Any], *keys: str) -> bool:
    return all(isinstance(entry.get(k), int | float) and math.isfinite(entry[k]) for k in keys)
