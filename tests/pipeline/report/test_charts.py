import numpy as np
import pytest

from components.evaluator import tally
from pipeline.report import charts
from pipeline.report.charts import Stage
from pipeline.report.sections import training


@pytest.mark.parametrize("values", [[0.5], [0.0, 0.0], [1e-6, 3e5], [-2.0, 7.0]])
def test_all_points_are_drawn_and_in_the_table(values):
    log = [{"epoch": i, "loss": value} for i, value in enumerate(values)]
    chart = charts.line_chart("Loss", log, {"loss": "training"})
    points = [(v["x"], v["y"]) for v in chart.spec["data"]["values"]]
    assert points == list(enumerate(values))
    assert [(float(x), float(y)) for x, y in chart.table.rows] == pytest.approx(points)


def test_what_is_no_number_is_no_point():
    log = [{"epoch": 1, "loss": float("nan")}, {"epoch": 2, "loss": None}, {"epoch": 3}]
    assert charts.line_chart("Loss", log, {"loss": "training"}) is None
    log.append({"epoch": 4, "loss": 0.5, "eval_loss": float("inf")})
    chart = charts.line_chart("Loss", log, {"loss": "training", "eval_loss": "evaluation"})
    assert chart.spec["data"]["values"] == [{"x": 4.0, "y": 0.5, "line": "training"}]


def test_a_long_training_is_thinned_out_between_its_ends():
    log = [{"epoch": i, "loss": 1.0 + i} for i in range(50_000)]
    chart = charts.line_chart("Loss", log, {"loss": "training"})
    points = chart.spec["data"]["values"]
    assert len(points) == charts.MAX_POINTS
    assert (points[0]["x"], points[-1]["x"]) == (0, 49_999)
    assert len(chart.table.rows) == charts.MAX_TABLE_ROWS
    assert chart.table.hidden == charts.MAX_POINTS - charts.MAX_TABLE_ROWS


def test_stages_begin_where_the_one_before_ends():
    log = [
        {"epoch": 0.5, "stage": 0, "img_size": 32},
        {"message": "text"},
        {"epoch": 1.0, "stage": 0, "img_size": 32},
        {"epoch": 1.5, "stage": 1, "img_size": 48},
        {"epoch": 1.5, "eval_top_1": 0.5},
    ]
    assert training.stages(log) == [Stage(0.0, "32 px"), Stage(1.0, "48 px")]
    chart = charts.line_chart("Size", log, {"img_size": "px"}, stages=training.stages(log))
    assert [layer["mark"]["type"] for layer in chart.spec["layer"]] == ["rule", "text", "line"]


def test_reliability_diagram_has_the_bins_with_images():
    answers = np.random.default_rng(0).dirichlet([0.5] * 4, 100).astype(np.float32)
    counts, _ = tally.tallies(np.zeros(100, np.int64), answers)
    bins = tally.reliability(counts.sum(0))
    chart = charts.reliability_diagram(bins)
    drawn = chart.spec["data"]["values"]
    assert [b["count"] for b in drawn] == [b["count"] for b in bins if b["count"]]
    assert sum(b["count"] for b in drawn) == 100
    assert len(chart.table.rows) == len(drawn)
    assert charts.reliability_diagram(tally.reliability(np.zeros(tally.SIZE, int))) is None
