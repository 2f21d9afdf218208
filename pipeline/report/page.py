"""The page of a run: one HTML file that needs nothing else."""

import itertools
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
from pipeline.report import charts, gate_view, label_conflicts
from pipeline.report import summary as summary_lib
from pipeline.report.summary import output, output_json
from preprocessing import features
from preprocessing.files.class_names import parse_class_names
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
        **_quarantine(config, summary, results),
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
    path = Path(artifact.uri, features.CLASS_NAMES_FILE)
    return list(parse_class_names(path.read_bytes(), str(path)))


def _training(results: Sequence[NodeResult]) -> dict[str, Any]:
    artifact = output(results, "HorovodTrainer", "model_run")
    log = _json_lines(Path(artifact.uri, TRAIN_LOG_FILE)) if artifact else []
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


def _quarantine(
    config: PipelineConfig, summary: dict[str, Any], results: Sequence[NodeResult]
) -> dict[str, Any]:
    artifact = output(results, "ImagePreprocessor", "quarantine")
    # Summaries of earlier versions do not say where the lists of a stopped run are.
    folder = summary.get("quarantine") or (artifact.uri if artifact else None)
    lists = Path(folder) if folder else None
    source = output(results, "ImageExampleGen", "examples")
    rows, hidden = _first_lines(
        lists / features.QUARANTINE_FILE if lists else None, MAX_QUARANTINE_ROWS
    )
    records = Path(source.uri) if source else None
    conflicts = label_conflicts.view(lists, records, config.preprocessing)
    pictures = (summary.get("label_conflicts") or {}).get("pictures", 0)
    return {
        "quarantine": rows,
        "hidden_quarantine": hidden,
        "label_conflicts": conflicts,
        "hidden_conflicts": max(pictures - len(conflicts), 0),
        "copies": summary.get("copies", []),
    }


def _json_lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def _first_lines(path: Path | None, limit: int) -> tuple[list[dict[str, Any]], int]:
    """The first entries of a file of JSON lines, and how many more there are."""
    if path is None or not path.exists():
        return [], 0
    with path.open(encoding="utf-8") as file:
        first = [json.loads(line) for line in itertools.islice(file, limit)]
        return first, sum(1 for _ in file)
