"""The page of a run: one HTML file that needs nothing else."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from components.evaluator import verdict
from components.stored_names import SERVING_CHECK_FILE
from pipeline import config_file
from pipeline.config import PipelineConfig
from pipeline.node_result import NodeResult
from pipeline.report import charts, gate_view
from pipeline.report import summary as summary_lib
from pipeline.report.summary import output, output_json
from preprocessing import features
from preprocessing.files.new_file import write_text

TRAIN_LOG_FILE = "train_log.jsonl"
# A page has to stay readable; the whole lists lie beside it in the artifacts.
MAX_QUARANTINE_ROWS = 100


def write(
    page: Path, config: PipelineConfig, summary: dict[str, Any], results: Sequence[NodeResult]
) -> None:
    """Writes the page. What a failed run did not get to is left out.

    Args:
      page: the HTML file.
      config: the resolved config.
      summary: as in `summary.json`.
      results: what became of the nodes.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    values = {
        "summary": summary,
        "model_name": config.serving.model_name,
        "config": config_file.dump(config),
        "total_secs": sum(node["secs"] for node in summary["nodes"]),
        **_evaluation(results),
        **_training(results),
        **_quarantine(results),
        "serving": output_json(results, "ServingValidator", "blessing", SERVING_CHECK_FILE),
    }
    page.parent.mkdir(parents=True, exist_ok=True)
    write_text(page, environment.get_template("report.html").render(values))


def _evaluation(results: Sequence[NodeResult]) -> dict[str, Any]:
    names = _class_names(results)
    cells = output_json(results, "Evaluator", "verdict", verdict.CONFUSION_FILE)
    return gate_view.view(summary_lib.judged(results), cells, names)


def _class_names(results: Sequence[NodeResult]) -> list[str]:
    artifact = output(results, "ImagePreprocessor", "transformed_examples")
    if artifact is None:
        return []
    text = Path(artifact.uri, features.CLASS_NAMES_FILE).read_text(encoding="utf-8")
    return text.splitlines()


def _training(results: Sequence[NodeResult]) -> dict[str, Any]:
    artifact = output(results, "HorovodTrainer", "model_run")
    log = _json_lines(artifact, TRAIN_LOG_FILE)
    drawn = [
        charts.line_chart(
            "Top-1 by epoch", log, {"top_1_train": "training", "eval_top_1": "evaluation"}
        ),
        charts.line_chart("Loss by epoch", log, {"loss": "training", "eval_loss": "evaluation"}),
        charts.line_chart("Images a second by epoch", log, {"images_per_sec": "images/s"}),
    ]
    stages: dict[int, int] = {}
    for entry in log:
        if "stage" in entry and "img_size" in entry:
            stages[entry["stage"]] = entry["img_size"]
    return {"charts": [chart for chart in drawn if chart is not None], "stages": stages}


def _quarantine(results: Sequence[NodeResult]) -> dict[str, Any]:
    rows = _json_lines(output(results, "ImagePreprocessor", "quarantine"), features.QUARANTINE_FILE)
    return {
        "quarantine": rows[:MAX_QUARANTINE_ROWS],
        "hidden_quarantine": max(len(rows) - MAX_QUARANTINE_ROWS, 0),
    }


def _json_lines(artifact: Any, name: str) -> list[dict[str, Any]]:
    if artifact is None:
        return []
    with Path(artifact.uri, name).open(encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]
