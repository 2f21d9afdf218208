"""Sections of the page that show pictures, made of a real dataset, its quarantine and answers."""

import base64
import io
import json
import re

import apache_beam as beam
import browser
import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from ml_metadata.proto import metadata_store_pb2
from PIL import Image

from components.evaluator import prediction_rows, predictions, tally
from components.evaluator.verdict import JSON_FILE, Verdict
from pipeline.config import DataConfig, EvaluationConfig, PipelineConfig
from pipeline.node_result import NodeResult
from pipeline.report import page, pictures, summary
from pipeline.report.reported_run import ReportedRun
from pipeline.report.sections import (
    examples,
    label_errors,
    mistakes,
    near_duplicates,
    quarantine,
)
from preprocessing.ingest import ingest
from preprocessing.stage import beam_stage, dataset_manifest
from preprocessing.stage.options import StageOptions

CLASSES = ["<b>ant</b>".replace("/", "\N{DIVISION SLASH}"), "bee", "cat"]
OF_CLASS = 20
MAX_PIXELS = 40_000


def color(class_index: int, number: int) -> tuple[int, int, int]:
    return 100 * class_index, 250 - 10 * number, 60


def photograph(size=(160, 120)) -> bytes:
    generator = np.random.default_rng(0)
    small = Image.fromarray(generator.integers(0, 256, (6, 8, 3), np.uint8))
    buffer = io.BytesIO()
    small.resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folders of a corpus, its source records, dataset and quarantine."""
    folder = tmp_path_factory.mktemp("made")
    for index, name in enumerate(CLASSES):
        (folder / "corpus" / name).mkdir(parents=True)
        for number in range(OF_CLASS):
            path = folder / "corpus" / name / f"{number}.png"
            Image.new("RGB", (90, 60), color(index, number)).save(path)
    bee = folder / "corpus" / "bee"
    (bee / "half.jpg").write_bytes(photograph()[: len(photograph()) // 2])
    (bee / "large.jpg").write_bytes(photograph((400, 300)))
    (bee / "text.jpg").write_bytes(b"no picture")

    def make_pipeline():
        options = ["--direct_running_mode=in_memory", "--direct_num_workers=1"]
        return beam.Pipeline(options=PipelineOptions(options))

    source = str(folder / "source")
    ingest.ingest(str(folder / "corpus"), source, make_pipeline=make_pipeline,
                  eval_fraction=0.3, seed=0)  # fmt: skip
    beam_stage.preprocess(
        source,
        str(folder / "dataset"),
        str(folder / "quarantine"),
        class_names=CLASSES,
        options=StageOptions(max_pixels=MAX_PIXELS, max_bad_fraction=0.5),
        make_pipeline=make_pipeline,
    )
    return folder


def images(folder, split):
    rows = dataset_manifest.read_manifest(str(folder / "dataset" / "manifest.parquet"))
    return [row for row in rows if row["split"] == split and row["status"] == "used"]


@pytest.fixture
def run(made, tmp_path):
    """A run whose model takes each bee for a cat, the surer the brighter, and knows all others."""
    rows = []
    for row in images(made, "eval"):
        number = int(re.search(r"(\d+)\.png$", row["uri"]).group(1))
        sure = 0.98 - number / 100
        probabilities = np.full((1, 3), 0.01, np.float32)
        probabilities[0, 2 if row["class"] == "bee" else row["label"]] = sure
        labels = np.array([row["label"]])
        counted, _ = tally.tallies(labels, probabilities)
        [answer] = prediction_rows.of_answers(labels, probabilities, counted, CLASSES)
        identity = [row[name] for name in ("sha256", "uri", "split", "class")]
        rows.append([*identity, *answer, *[None] * len(answer)])
    (tmp_path / "evaluation").mkdir()
    predictions.write(str(tmp_path / "evaluation" / predictions.FILE), rows)
    figures = {
        "top_1": 0.5, "top_1_interval": [0.4, 0.6], "top_5": 1.0, "top_5_interval": [0.9, 1.0],
        "loss": 0.3, "expected_calibration_error": 0.1, "example_count": 18, "unanswered": 0,
    }  # fmt: skip
    (tmp_path / "verdict").mkdir()
    judged = Verdict(True, figures, None, [], slices=[])
    (tmp_path / "verdict" / JSON_FILE).write_text(judged.to_json())

    def artifact(path):
        return metadata_store_pb2.Artifact(uri=str(path))

    results = [
        NodeResult("ImageExampleGen", "ran", 1.0, {"examples": artifact(made / "source")}),
        NodeResult("ImagePreprocessor", "ran", 1.0, {
            "transformed_examples": artifact(made / "dataset"),
            "quarantine": artifact(made / "quarantine"),
        }),
        NodeResult("Evaluator", "ran", 1.0, {
            "evaluation": artifact(tmp_path / "evaluation"),
            "verdict": artifact(tmp_path / "verdict"),
        }),
    ]  # fmt: skip
    config = PipelineConfig(
        data=DataConfig(path="x"),
        evaluation=EvaluationConfig(min_top_1=0.5),
        preprocessing={"max_pixels": MAX_PIXELS},
    )
    return ReportedRun(config, summary.summarize("r1", results, tmp_path / "i.html"), results)


def decoded(uri: str) -> Image.Image:
    data = base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"), validate=True)
    assert len(data) <= pictures.MAX_THUMBNAIL_BYTES
    return Image.open(io.BytesIO(data)).convert("RGB")


def shows(image: str, uri: str) -> bool:
    """Whether a thumbnail is that of the file of the corpus."""
    with Image.open(uri) as original:
        expected = original.convert("RGB").getpixel((5, 5))
    return np.abs(np.subtract(decoded(image).getpixel((5, 5)), expected)).max() <= 4  # JPEG


def test_mistakes_are_the_surest_and_show_the_right_pictures(run, made):
    shown = mistakes.view(run)
    bees = [row for row in images(made, "eval") if row["class"] == "bee"]
    assert shown["count"] == len(shown["mistakes"]) == len(bees) > 2
    numbers = [int(re.search(r"(\d+)\.png$", row["uri"]).group(1)) for row in shown["mistakes"]]
    assert numbers == sorted(numbers)
    for row in shown["mistakes"]:
        assert (row["class"], row["predicted"]) == ("bee", "cat")
        assert shows(row["image"], row["uri"])


def test_suspected_labels_show_the_right_pictures(run):
    shown = label_errors.view(run)
    assert shown["found"].suspected == len(shown["suspects"]) > 0
    assert {pair[:2] for pair in shown["pairs"]} == {("bee", "cat")}
    for row in shown["suspects"]:
        assert (row["class"], row["suggested"]) == ("bee", "cat")
        assert shows(row["image"], row["uri"])


def test_examples_are_training_images_of_their_class(run, made):
    shown = examples.view(run)
    assert [name for name, _ in shown["classes"]] == CLASSES
    in_train = {row["uri"]: row["class"] for row in images(made, "train")}
    for name, found in shown["classes"]:
        assert len(found) == examples.MAX_OF_CLASS
        for uri, image in found:
            assert in_train[uri] == name
            assert shows(image, uri)


def test_examples_of_many_classes_are_bounded(run, monkeypatch):
    monkeypatch.setattr(examples, "MAX_PICTURES", 2)
    judged = run.judged
    judged.classes.extend({"class": name, "recall": 0.1} for name in reversed(CLASSES))
    shown = examples.view(run)
    assert [name for name, _ in shown["classes"]] == CLASSES[:0:-1]
    assert [len(found) for _, found in shown["classes"]] == [1, 1]
    assert shown["hidden"] == 1


def test_quarantine_shows_what_can_be_decoded_and_not_what_is_too_large(run):
    shown = quarantine.view(run)
    rows = {re.search(r"[^/]*$", row["uri"]).group(): row for row in shown["quarantine"]}
    assert {name: row["reason"] for name, row in rows.items()} == {
        "half.jpg": "damaged or truncated",
        "large.jpg": "too many pixels",
        "text.jpg": "unknown format",
    }
    assert shown["has_images"]
    assert (rows["large.jpg"]["image"], rows["text.jpg"]["image"]) == ("", "")
    seen = decoded(rows["half.jpg"]["image"])
    whole = Image.open(io.BytesIO(photograph())).resize(seen.size)
    upper = (0, 0, seen.width, seen.height // 3)
    difference = np.subtract(seen.crop(upper), np.asarray(whole.crop(upper), np.int16))
    assert np.abs(difference).mean() < 12


def test_near_duplicates_are_shown_in_pairs(run, made, tmp_path):
    assert near_duplicates.view(run) is None  # the list of this corpus is empty
    count = near_duplicates.MAX_PAIRS + 3
    evaluated, trained = images(made, "eval") * 9, images(made, "train")
    pairs = [{"eval": e, "train": t} for e, t in zip(evaluated[:count], trained, strict=False)]
    (tmp_path / "near_duplicates.jsonl").write_text("".join(f"{json.dumps(p)}\n" for p in pairs))
    run.summary["quarantine"] = str(tmp_path)
    shown = near_duplicates.view(run)
    assert (len(shown["pairs"]), shown["hidden"]) == (near_duplicates.MAX_PAIRS, 3)
    for (one, two), pair in zip(shown["pairs"], pairs, strict=False):
        assert (one["uri"], two["uri"]) == (pair["eval"]["uri"], pair["train"]["uri"])
        assert shows(one["image"], one["uri"])
        assert shows(two["image"], two["uri"])
    page.write(tmp_path / "i.html", run.config, run.summary, run.results)
    text = (tmp_path / "i.html").read_text()
    assert f"{count} evaluation images look like a training image" in text


def test_without_records_the_source_files_are_shown_and_without_both_names(run, tmp_path):
    for node in run.results[:2]:
        for artifact in node.outputs.values():
            artifact.uri = str(tmp_path / "gone")
    shown = mistakes.view(run)
    assert all(shows(row["image"], row["uri"]) for row in shown["mistakes"])
    assert pictures.of_images(None, {"0" * 64: shown["mistakes"][0]["uri"]}, StageOptions()) == {}
    assert pictures.source_file("gs://bucket/no.png", "0" * 64) == b""
    assert pictures.source_file("\0", "0" * 64) == b""


def test_page_has_them_escaped_and_is_small(run, tmp_path):
    page_file = tmp_path / "index.html"
    page.write(page_file, run.config, run.summary, run.results)
    text = page_file.read_text()
    for name in ("mistakes", "label_errors", "examples", "quarantine"):
        assert f'<section id="{name}"' in text
    assert "&lt;b&gt;ant" in text
    assert "<b>ant" not in text
    assert all(re.findall(r'<img [^>]*alt="([^"]+)"', text))
    sources = re.findall(r'<img [^>]*src="([^"]*)"', text)
    assert len(sources) > 20
    assert {source[:5] for source in sources} == {"data:"}
    assert len(text) < 5_000_000


def test_everybody_can_use_them(run, tmp_path, open_page):
    page_file = tmp_path / "index.html"
    page.write(page_file, run.config, run.summary, run.results)
    for more in ({}, {"viewport": browser.PHONE, "color_scheme": "dark"}):
        opened = open_page(page_file, **more)
        assert browser.problems(opened) == []
        assert browser.fits(opened)


def test_what_a_run_did_not_get_to_is_left_out(run):
    early = ReportedRun(run.config, run.summary, [NodeResult("ImageExampleGen", "failed", 0.0)])
    assert [view(early) for view in (mistakes.view, label_errors.view, examples.view)] == [None] * 3
