"""The training: its curves by epoch, with the stages."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.report import charts
from pipeline.report.charts import Stage
from pipeline.report.reported_run import ReportedRun

TRAIN_LOG_FILE = "train_log.jsonl"


def view(run: ReportedRun) -> dict[str, Any] | None:
    """Values of the template; None where there is no training log."""
    artifact = run.output("HorovodTrainer", "model_run")
    log = _json_lines(Path(artifact.uri, TRAIN_LOG_FILE)) if artifact else []
    found = stages(log)
    marks = found if len(found) > 1 else []
    both = {"top_1_train": "training", "eval_top_1": "evaluation"}
    drawn = [
        charts.line_chart("Top-1", log, both, stages=marks),
        charts.line_chart(
            "Loss", log, {"loss": "training", "eval_loss": "evaluation"}, stages=marks
        ),
        charts.line_chart("Learning rate", log, {"lr": "learning rate"}, stages=marks),
        charts.line_chart(
            "Image size, px", log, {"img_size": "image size"}, stages=marks, steps=True
        ),
        charts.line_chart("Images a second", log, {"images_per_sec": "images/s"}, stages=marks),
    ]
    shown = [chart for chart in drawn if chart is not None]
    return {"charts": shown, "stages": found} if shown else None


def stages(log: Sequence[Mapping[str, Any]]) -> list[Stage]:
    """The stages in the order of the training, each from the end of the one before it."""
    found: list[Stage] = []
    number, end = None, 0.0
    for entry in log:
        if not {"stage", "img_size", "epoch"} <= entry.keys():
            continue
        if entry["stage"] != number:
            found.append(Stage(end, f"{entry['img_size']} px"))
        number, end = entry["stage"], entry["epoch"]
    return found


def _json_lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]
