"""Top-1 over time: each evaluated run with its interval, and the versions that were pushed."""

from collections.abc import Sequence
from typing import Any

from lineage.record.run import RunLine
from lineage.views import words
from pipeline.report import charts
from pipeline.report.charts import Chart, Table

# The newest pushed versions are written into the chart; a pointer on a run tells of all.
MAX_LABELS = 15
_TITLE = "Top-1 over time"
_PUSHED, _NOT_PUSHED = "pushed", "not pushed"


def chart(lines: Sequence[RunLine]) -> Chart | None:
    """The chart, None where no run was evaluated.

    Args:
      lines: of the runs, the newest first.
    """
    measured = [line for line in reversed(lines) if line.top_1 is not None]
    if not measured:
        return None
    said = f"{_TITLE}: {words.counted(len(measured), 'run')}, the newest {measured[-1].top_1:.4f}"
    values = [_value(line) for line in measured]
    for value in [value for value in values if value["version"]][-MAX_LABELS:]:
        value["label"] = value["version"]
    spec = {"data": {"values": values}, "layer": _layers()}
    rows = [
        [
            words.when(line.started),
            words.share(line.top_1, (line.top_1_low, line.top_1_high)),
            words.pushed(line.pushes),
        ]
        for line in measured[-charts.MAX_TABLE_ROWS :]
    ]
    table = Table(["When", "Top-1", "Pushed"], rows, len(measured) - len(rows))
    return Chart(_TITLE, said, charts.full_spec(spec) | {"height": 260}, table)


def _value(line: RunLine) -> dict[str, Any]:
    return {
        "started": line.started.isoformat(),
        "top_1": line.top_1,
        "low": line.top_1_low,
        "high": line.top_1_high,
        "run": line.id,
        "version": words.pushed(line.pushes) if line.pushes else "",
        "label": "",
        "served": _PUSHED if line.pushes else _NOT_PUSHED,
    }


def _layers() -> list[dict[str, Any]]:
    x = {"x": {"field": "started", "type": "temporal", "title": None}}
    y = {"type": "quantitative", "title": "top-1", "scale": {"zero": False}}
    kinds = {
        "field": "served",
        "type": "nominal",
        "title": None,
        "sort": [_PUSHED, _NOT_PUSHED],
        "scale": {"domain": [_PUSHED, _NOT_PUSHED]},
    }
    tips = [{"field": name, "type": "nominal"} for name in ("run", "top_1", "version")]
    interval = {"y": {"field": "low", **y}, "y2": {"field": "high"}, "color": kinds}
    point = {"y": {"field": "top_1", **y}, "color": kinds, "shape": kinds, "tooltip": tips}
    label = {"y": {"value": "height"}, "text": {"field": "label"}}
    named = [{"filter": "datum.label !== ''"}]
    style = {"type": "text", "style": charts.LABEL_STYLE, "angle": 270, "align": "left"}
    # Beside the interval and upwards from the axis, where it covers no other.
    style |= {"dx": 4, "dy": -8}
    return [
        {"mark": {"type": "rule", "strokeWidth": 2, "opacity": 0.6}, "encoding": {**x, **interval}},
        {"mark": {"type": "point", "filled": True, "size": 70}, "encoding": {**x, **point}},
        {"mark": style, "encoding": {**x, **label}, "transform": named},
    ]
