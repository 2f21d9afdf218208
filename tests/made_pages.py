"""Runs as their nodes leave them, in real files, with their pages; without running nodes."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ml_metadata.proto import metadata_store_pb2

from components.evaluator import gate, measures, tally, verdict
from components.evaluator.measures import Measures
from components.evaluator.rules import Rules
from pipeline.config import DataConfig, EvaluationConfig, PipelineConfig
from pipeline.node_names import NODE_NAMES
from pipeline.node_result import NodeResult
from pipeline.report import page, summary
from preprocessing import features

# Node, input key, node and output key that the input comes from: as in pipeline/pipeline.py.
_INPUTS = (
    ("StatisticsGen", "examples", "ImageExampleGen", "image_facts"),
    ("SchemaGen", "statistics", "StatisticsGen", "statistics"),
    ("ExampleValidator", "examples", "ImageExampleGen", "examples"),
    ("ExampleValidator", "statistics", "StatisticsGen", "statistics"),
    ("ExampleValidator", "schema", "SchemaGen", "schema"),
    ("ImagePreprocessor", "examples", "ImageExampleGen", "examples"),
    ("ImagePreprocessor", "schema", "SchemaGen", "schema"),
    ("HorovodTrainer", "examples", "ImagePreprocessor", "transformed_examples"),
    ("HorovodTrainer", "transform_graph", "ImagePreprocessor", "transform_graph"),
    ("LatestBlessedModel", "model", "HorovodTrainer", "model"),
    ("Evaluator", "examples", "ImagePreprocessor", "transformed_examples"),
    ("Evaluator", "model", "HorovodTrainer", "model"),
    ("Evaluator", "baseline_model", "LatestBlessedModel", "baseline_model"),
    ("ServingValidator", "model", "HorovodTrainer", "model"),
    ("Pusher", "model", "HorovodTrainer", "model"),
    ("Pusher", "model_blessing", "Evaluator", "blessing"),
    ("Pusher", "infra_blessing", "ServingValidator", "blessing"),
)
_SERVING_CHECK = {
    "blessed": True,
    "reason": "served and trained probabilities differ by 3e-08 at most over 32 images",
    "latency_ms": {"1": {"p50": 21.0, "p90": 24.5, "p99": 31.0, "batches": 9}},
    "memory_mb": {"loaded": 812.4, "peak": 1204.0},
    "extra_exports": [],
}
CONFIG = PipelineConfig(
    data=DataConfig(path="/pictures"), evaluation=EvaluationConfig(min_top_1=0.5)
)


@dataclasses.dataclass(frozen=True)
class Made:
    """A run: what became of its nodes, and its page."""

    results: list[NodeResult]
    summary: dict[str, Any]
    page: Path


def make(
    folder: Path,
    run_id: str = "r1",
    *,
    classes: int = 3,
    images: int = 300,
    share_right: float = 0.9,
    min_top_1: float = 0.5,
    state: str = "ran",
    failed: str | None = None,
) -> Made:
    """Makes a run and its page, `folder/reports/<run>/index.html`.

    Args:
      folder: the output folder.
      run_id: the run.
      classes: number of classes.
      images: evaluation images.
      share_right: of the answers.
      min_top_1: what the gate asks for.
      state: of all nodes.
      failed: this node failed, and those after it were skipped.
    """
    names = [f"class {i:04d}" for i in range(classes)]
    judged, cells = _evaluation(names, images, share_right, min_top_1)
    outputs = _outputs(folder / "artifacts" / run_id, names, judged, cells)
    pushed = folder / "serving" / "classifier" / "1795826541" if judged.blessed else None
    _pushed(outputs["Pusher"]["pushed_model"], pushed)
    results = _results(outputs, state, failed)
    logs = folder / "logs" / run_id
    logs.mkdir(parents=True)
    for result in results:
        if result.state != "skipped":
            (logs / f"{result.id}.log").write_text(f"\x1b[32mNode {result.id} starts\x1b[0m\nend\n")
    page_file = folder / "reports" / run_id / "index.html"
    failure = f"{failed} failed: no <disk> left" if failed else None
    told = summary.summarize(run_id, results, page_file, failure)
    page.write(page_file, CONFIG, told, results, logs)
    return Made(results, told, page_file)


def artifact(folder: Path, files: Mapping[str, Any]) -> metadata_store_pb2.Artifact:
    """An artifact of files; what is no text is written as JSON."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / name).write_text(text)
    return metadata_store_pb2.Artifact(uri=str(folder))


def training_log(epochs: int = 4) -> str:
    """Two stages, with a line for each epoch and one for each evaluation."""
    lines = []
    for epoch in range(1, epochs + 1):
        stage = int(epoch > epochs / 2)
        lines += [
            {"step": 10 * epoch, "epoch": float(epoch), "stage": stage, "img_size": 32 + 16 * stage,
             "loss": 2 / epoch, "top_1_train": 1 - 1 / (epoch + 1), "lr": 0.002 / epoch,
             "images_per_sec": 100.0 - 20 * stage},
            {"step": 10 * epoch, "epoch": float(epoch), "weights": "raw",
             "eval_top_1": 1 - 1.2 / (epoch + 1), "eval_loss": 2.2 / epoch},
        ]  # fmt: skip
    return "".join(json.dumps(line) + "\n" for line in lines)


def _evaluation(names, images: int, share_right: float, min_top_1: float):
    """The gate's verdict and the confusion matrix of made-up answers."""
    random = np.random.default_rng(0)
    labels = random.integers(0, len(names), images)
    right = random.random(images) < share_right
    # Some classes look alike; other mistakes may be any class.
    wrong = np.where(
        random.random(images) < 0.7,
        labels + random.integers(1, 4, images),
        labels + random.integers(1, len(names), images),
    )
    said = np.where(right, labels, wrong % len(names))
    answers = np.full((images, len(names)), 0.2 / len(names), np.float32)
    answers[np.arange(images), said] += random.uniform(0.4, 0.8, images).astype(np.float32)
    answers /= answers.sum(1, keepdims=True)
    own, _ = tally.tallies(labels, answers)
    pairs, counts = np.unique(np.stack([labels, said], 1), axis=0, return_counts=True)
    cells = [
        {"actual": int(a), "predicted": int(p), "count": int(n)}
        for (a, p), n in zip(pairs, counts, strict=True)
    ]
    slices = [Measures({}, own.sum(0), None, None)]
    rules = Rules(min_top_1=min_top_1, min_slice_examples=1)
    judged = gate.judge(
        slices, measures.classes(cells, names, 0.95), rules, verdict.NO_SUCH_BASELINE
    )
    return judged, cells


def _outputs(folder: Path, names, judged: verdict.Verdict, cells) -> dict[str, dict[str, Any]]:
    counts = {"seen": 401, "used": 400, "quarantined": 1, "dropped": 0, "duplicates": 0}
    bad = {"uri": "/pictures/x.png", "bytes": 3, "class": names[0], "reason": "not a picture"}
    files: dict[tuple[str, str], dict[str, Any]] = {
        ("ImageExampleGen", "examples"): {},
        ("ImageExampleGen", "image_facts"): {},
        ("StatisticsGen", "statistics"): {},
        ("SchemaGen", "schema"): {},
        ("ExampleValidator", "anomalies"): {},
        ("ImagePreprocessor", "transformed_examples"): {
            features.CLASS_NAMES_FILE: "\n".join(names) + "\n",
            features.COUNTS_FILE: {**counts, "splits": {"train": counts}},
        },
        ("ImagePreprocessor", "transform_graph"): {},
        ("ImagePreprocessor", "quarantine"): {features.QUARANTINE_FILE: json.dumps(bad) + "\n"},
        ("HorovodTrainer", "model"): {},
        ("HorovodTrainer", "model_run"): {"train_log.jsonl": training_log()},
        ("LatestBlessedModel", "baseline_model"): {},
        ("Evaluator", "verdict"): {
            verdict.JSON_FILE: judged.to_json(),
            verdict.CONFUSION_FILE: cells,
        },
        ("Evaluator", "blessing"): {},
        ("ServingValidator", "blessing"): {"serving_check.json": _SERVING_CHECK},
        ("Pusher", "pushed_model"): {},
    }
    made: dict[str, dict[str, Any]] = {}
    for (node, key), content in files.items():
        made.setdefault(node, {})[key] = artifact(folder / node / key, content)
    return made


def _pushed(made: metadata_store_pb2.Artifact, folder: Path | None) -> None:
    made.custom_properties["pushed"].int_value = int(folder is not None)
    made.custom_properties["pushed_destination"].string_value = str(folder or "")


def _results(outputs, state: str, failed: str | None) -> list[NodeResult]:
    results, has_failed = [], False
    for number, node in enumerate(NODE_NAMES):
        own = [entry for entry in _INPUTS if entry[0] == node]
        now = "failed" if node == failed else "skipped" if has_failed else state
        after = {source for _, _, source, _ in own}
        results.append(
            NodeResult(
                node,
                now,
                0.0 if now == "skipped" else 1.5 + number,
                outputs.get(node, {}) if now in ("ran", "cached") else {},
                "it is <new>",
                {key: [(source, output)] for _, key, source, output in own},
                sorted(after | ({"ExampleValidator"} if node == "ImagePreprocessor" else set())),
                {"code_digest": "5f2e", "train_config": json.dumps({"arch": "s", "seed": 0})},
                1234.5 + number if now == "ran" else None,
            )
        )
        has_failed = has_failed or node == failed
    return results
