"""The training: its curves by epoch."""

import json
from pathlib import Path
from typing import Any

from pipeline.report import charts
from pipeline.report.reported_run import ReportedRun

TRAIN_LOG_FILE = "train_log.jsonl"


def view(run: ReportedRun) -> dict[str, Any] | None:
    """Values of the template; None where there is no training log."""
    artifact = run.output("HorovodTrainer", "model_run")
    log = _json_lines(Path(artifact.uri, TRAIN_LOG_FILE)) if artifact else []
    drawn = [
        charts.line_chart(
            "Top-1 by epoch", log, {"top_1_train": "training", "eval_top_1": "evaluation"}
        ),
        charts.line_chart("Loss by epoch", log, {"loss": "training", "eval_loss": "evaluation"}),
        charts.line_chart("Images a second by epoch", log, {"images_per_sec": "images/s"}),
    ]
    shown = [chart for chart in drawn if chart is not None]
    stages: dict[int, int] = {}
    for entry in log:
        if "stage" in entry and "img_size" in entry:
            stages[entry["stage"]] = entry["img_size"]
    return {"charts": shown, "stages": stages} if shown else None


def _json_lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]
