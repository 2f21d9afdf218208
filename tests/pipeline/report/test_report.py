import json
import re

import numpy as np
import pytest
from ml_metadata.proto import metadata_store_pb2

from components.evaluator import gate, measures, tally
from components.evaluator.measures import Measures
from components.evaluator.rules import Rules
from pipeline.config import DataConfig, EvaluationConfig, PipelineConfig
from pipeline.node_result import NodeResult
from pipeline.report import page, summary, terminal
from pipeline.report.sections import confusion
from preprocessing.errors import UnusableCorpusError

COUNTS = {"seen": 5, "used": 4, "quarantined": 1, "dropped": 0, "duplicates": 0}
CLASSES = ["<b>ant</b>", "bee"]


def _artifact(folder, **files):
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return metadata_store_pb2.Artifact(uri=str(folder))


@pytest.fixture
def results(tmp_path):
    labels = np.array([0, 0, 1, 1])
    answers = np.array([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8], [0.4, 0.6]], np.float32)
    own, _ = tally.tallies(labels, answers)
    before, _ = tally.tallies(labels, answers[:, ::-1][[1, 1, 2, 3]])
    slices = [
        Measures({}, own.sum(0), before.sum(0), tally.pairs(own, before).sum(0)),
        Measures({"image/format": "<i>png</i>"}, own[:2].sum(0), before[:2].sum(0),
                 tally.pairs(own[:2], before[:2]).sum(0)),
    ]  # fmt: skip
    cells = [{"actual": 0, "predicted": 0, "count": 1}, {"actual": 0, "predicted": 1, "count": 1},
             {"actual": 1, "predicted": 1, "count": 2}]  # fmt: skip
    rules = Rules(min_top_1=0.5, min_slice_examples=1)
    judged = gate.judge(slices, measures.classes(cells, CLASSES, 0.95), rules)
    log = [{"step": 1, "epoch": 0.5, "stage": 0, "img_size": 32, "loss": 2.0, "top_1_train": 0.1},
           {"step": 2, "epoch": 1.0, "eval_top_1": 0.75, "eval_loss": float("nan")}]  # fmt: skip
    check = {
        "blessed": False,
        "reason": "they differ",
        "latency_ms": {"32": {"p50": 640.0, "p90": 650.5, "p99": 700.0, "batches": 9}},
        "memory_mb": {"loaded": 812.4, "peak": 1204.0},
        "extra_exports": [
            {
                "name": "float16",
                "top_1": 0.7321,
                "top_1_change": -0.0179,
                "max_difference": 0.0123,
                "tolerance": 0.02,
                "parity": True,
            }
        ],
    }
    bad = {
        "uri": "/data/x.png",
        "sha256": "0" * 64,
        "split": "train",
        "bytes": 3,
        "class": CLASSES[0],
        "reason": "not a picture",
    }
    return [
        NodeResult("ImagePreprocessor", "cached", 0.1, {
            "transformed_examples": _artifact(
                tmp_path / "examples", labels__txt="\n".join(CLASSES) + "\n",
                counts__json=json.dumps({**COUNTS, "splits": {"train": COUNTS}})),
            "quarantine": _artifact(tmp_path / "bad", quarantine__jsonl=json.dumps(bad) + "\n"),
        }),
        NodeResult("HorovodTrainer", "ran", 9.0, {
            "model": _artifact(tmp_path / "model"),
            "model_run": _artifact(
                tmp_path / "run", train_log__jsonl="".join(json.dumps(e) + "\n" for e in log)),
        }),
        NodeResult("Evaluator", "ran", 1.0, {
            "verdict": _artifact(tmp_path / "verdict", verdict__json=judged.to_json(),
                                 confusion__json=json.dumps(cells)),
        }),
        NodeResult("ServingValidator", "ran", 1.0, {
            "blessing": _artifact(tmp_path / "check", serving_check__json=json.dumps(check)),
        }),
    ]  # fmt: skip


@pytest.fixture
def config():
    return PipelineConfig(data=DataConfig(path="x"), evaluation=EvaluationConfig(min_top_1=0.5))


def test_summary_holds_what_the_artifacts_say(results, tmp_path):
    made = summary.summarize("r1", results, tmp_path / "index.html")
    assert made["status"] == "not_blessed"
    assert made["verdict"] == "not blessed: they differ"
    assert made["gate"][0] == "top-1 0.7500 [0.3006, 0.9544], minimum 0.5000: blessed"
    assert (made["top_1"], made["top_5"], made["pushed_to"]) == (0.75, 1.0, None)
    [line] = made["exports"]
    assert line.startswith("float16: top-1 0.7321, change -0.0179; ")
    assert line.endswith("allowed 0.02: parity")
    assert made["images"] == {"seen": 5, "used": 4, "quarantined": 1, "duplicates": 0}
    equation = "4 used + 1 in quarantine + 0 dropped duplicates = 5 files seen"
    assert made["image_sums"] == [f"train: {equation}", f"all: {equation}"]
    summary.write(tmp_path / "summary.json", made)
    assert json.loads((tmp_path / "summary.json").read_text()) == made


def test_a_person_is_told_where_the_pages_are(results, tmp_path):
    made = summary.summarize("r1", results, tmp_path / "reports" / "r1" / "index.html")
    told = terminal.lines(made, None, "metadata.sqlite")
    assert f"report     {tmp_path}/reports/r1/index.html" in told
    assert f"all runs   {tmp_path}/reports/index.html" in told


def test_partial_run_is_no_refusal(results, tmp_path):
    until_trainer = [*results[:2], NodeResult("Evaluator", "skipped", 0.0)]
    made = summary.summarize("r1", until_trainer, tmp_path / "index.html")
    assert made["status"] == "partial"
    assert made["verdict"] == "partial run, up to HorovodTrainer: not evaluated"


def test_page_shows_it_escaped_and_needs_no_other_file(results, config, tmp_path):
    page_file = tmp_path / "page" / "index.html"
    page.write(page_file, config, summary.summarize("r1", results, page_file), results)
    text = page_file.read_text()
    for shown in (
        "top-1 0.7500 [0.3006, 0.9544], minimum 0.5000: blessed",
        "they differ",
        "/data/x.png",
        "not a picture",
        "650.5",  # ms, of nine requests in ten
        "50.0",  # images/s
        "1204 MB at its peak",
        "-0.0179",
    ):
        assert shown in text
    assert "&lt;b&gt;ant&lt;/b&gt;" in text
    assert "<b>ant" not in text
    assert "format=&lt;i&gt;png" in text
    assert "Slices that got worse" in text
    specs = [json.loads(s) for s in re.findall(r'class="spec">(.*?)</script>', text)]
    lines = {chart["data"]["values"][0].get("line"): chart for chart in specs}
    assert {v["line"] for v in lines["training"]["data"]["values"]} == {"training"}  # of the loss
    bars = lines[None]["data"]["values"]  # of the reliability diagram
    assert sum(bar["count"] for bar in bars) == 4
    # It loads nothing: what it links to is in itself, or the page of all runs.
    own = {f"#{name}" for name in re.findall(r'<section id="(.*?)"', text)}
    assert set(re.findall(r'(?:src|href)="(.*?)"', text)) <= {"../index.html", "#main", *own}


def test_page_of_a_run_that_failed_at_once(config, tmp_path):
    results = [
        NodeResult("ImageExampleGen", "failed", 0.0),
        NodeResult("StatisticsGen", "skipped", 0.0, why="not <part> of it"),
    ]
    page_file = tmp_path / "index.html"
    images = {"seen": 60, "used": 1, "quarantined": 59, "reasons": {"no class": 59}}
    stop = RuntimeError("in the node")
    stop.__cause__ = UnusableCorpusError("too many", images)
    made = summary.summarize("r1", results, page_file, "ImageExampleGen failed: too many", stop)
    assert made["images"] == {"seen": 60, "used": 1, "quarantined": 59, "duplicates": None}
    assert made["unusable"] == {"no class": 59}
    made = summary.summarize("r1", results, page_file, "ImageExampleGen failed: no <disk>")
    assert (made["status"], made["top_1"], made["model"]) == ("failed", None, None)
    page.write(page_file, config, made, results)
    assert "no &lt;disk&gt;" in page_file.read_text()
    assert "not &lt;part&gt; of it" in page_file.read_text()


def test_most_frequent_confusions_of_many_classes():
    rows = [(2, 1, 5), (2, 2, 9), (0, -1, 7), (0, 2, 6)]
    cells = [dict(zip(("actual", "predicted", "count"), row, strict=True)) for row in rows]
    assert confusion.confusions(cells, ["a", "b", "c"]) == [("a", "c", 6), ("c", "b", 5)]
