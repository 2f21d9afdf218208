"""The nodes before the preprocessing, on pictures, one corpus after the other."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from components.stored_names import CONTENT_FINGERPRINT
from pipeline import cli
from pipeline.mlmd.connection import locate
from pipeline.mlmd.handle import Handle

CLASSES = ("ant", "bee", "cat")


def write_class(folder: Path, name: str, count: int, seed: int, side_px: int = 16) -> None:
    (folder / name).mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    for i in range(count):
        pixels = generator.integers(0, 255, (side_px, side_px, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name / f"{seed}-{i}.png")


@pytest.fixture
def corpus(tmp_path) -> Path:
    for seed, name in enumerate(CLASSES):
        write_class(tmp_path / "corpus", name, 20, seed)
    return tmp_path / "corpus"


@pytest.fixture
def run(tmp_path, corpus, capfd):
    """Runs until ExampleValidator; returns exit status, summary and what a person sees."""
    path = tmp_path / "config.yaml"
    path.write_text(
        yaml.safe_dump({"data": {"path": str(corpus)}, "evaluation": {"min_top_1": 0.5}})
    )

    def run(*more: str):
        folder = tmp_path / "out"
        command = ["run", str(path), "--output_dir", str(folder), *more]
        until = () if "--until" in more else ("--until", "ExampleValidator")
        status = cli.main([*command, *until])
        summary = json.loads((folder / "summary.json").read_text())
        return status, summary, capfd.readouterr().out

    return run


def state(summary, node: str) -> str:
    return next(n["state"] for n in summary["nodes"] if n["id"] == node)


def test_lost_class_is_told_and_refused_until_the_corpus_is_mended(run, corpus, tmp_path):
    status, summary, _ = run()
    assert (status, summary["status"], summary["anomalies"]) == (0, "partial", [])

    shutil.move(corpus / "bee", tmp_path / "bee")
    refuse = ("--set", "data.on_anomaly=fail")
    for _ in range(2):  # trying again does not make it usual
        status, summary, shown = run(*refuse)
        assert (status, summary["status"]) == (2, "failed")
        assert state(summary, "ExampleValidator") == "failed"
        assert state(summary, "ImagePreprocessor") == "skipped"
        worst = "class 'bee' has no images any more (20 in the corpus before)"
        assert summary["anomalies"][0]["text"] == worst
        assert worst in summary["verdict"]
        assert worst in Path(summary["report"]).read_text().replace("&#39;", "'")
        listed = Path(summary["verdict"].rpartition("All of them: ")[2])
        assert json.loads(listed.read_text()) == summary["anomalies"]
        items = listed.with_suffix(".jsonl").read_text().splitlines()
        assert {"class": "bee", "images": 20}.items() <= json.loads(items[-1]).items()
        assert f"anomalies  {worst}" in shown

    # What was refused is not what the mended corpus is compared with.
    shutil.move(tmp_path / "bee", corpus / "bee")
    write_class(corpus, "bee", 2, seed=9)
    status, summary, _ = run(*refuse)
    assert (status, summary["anomalies"]) == (0, [])


def test_warnings_are_seen_and_the_accepted_corpus_is_the_next_to_compare_with(
    run, corpus, tmp_path
):
    run()
    write_class(corpus, "dog", 20, seed=7, side_px=5)
    status, summary, shown = run()
    assert status == 0
    texts = [anomaly["text"] for anomaly in summary["anomalies"]]
    assert texts[0] == "class 'dog' is new (20 images)"
    small = next(
        a for a in summary["anomalies"] if "smallest height" in a["text"] and a["split"] == "train"
    )
    assert small["text"].startswith("the smallest height is 5 px (limit 8): ")
    assert f" {small['count']} pictures, for example {corpus}/dog/" in small["text"]
    assert len(small["examples"]) == min(small["count"], 10)
    assert all(Path(name).is_file() for name in small["examples"])
    assert "anomalies  class 'dog' is new" in shown
    assert small["text"] in shown

    status, summary, _ = run()  # from the cache, and told again
    assert state(summary, "ExampleValidator") == "cached"
    assert [anomaly["text"] for anomaly in summary["anomalies"]] == texts

    # Statistics of the same images that differ in some digit are not those of another corpus.
    with Handle(locate("", tmp_path / "out" / "metadata.sqlite")) as handle:
        statistics = handle.store.get_artifacts_by_type("ExampleStatistics")
        for artifact in statistics:
            artifact.custom_properties[CONTENT_FINGERPRINT].string_value = "of other digits"
        handle.store.put_artifacts(statistics)
    _, summary, _ = run()
    assert state(summary, "StatisticsGen") == "ran"
    assert [anomaly["text"] for anomaly in summary["anomalies"]] == texts

    write_class(corpus, "dog", 1, seed=8, side_px=5)
    _, summary, _ = run("--set", "data.min_side_px=4")
    assert summary["anomalies"] == []


def test_explanation_of_the_cache_writes_nothing(run, corpus, tmp_path, capfd):
    explain = ["run", str(tmp_path / "config.yaml"), "--output_dir", str(tmp_path / "out")]
    explain.append("--explain_cache")

    def lines() -> dict[str, str]:
        assert cli.main(explain) == 0
        shown = capfd.readouterr()
        assert shown.err == ""
        return {line.split()[0]: " ".join(line.split()[1:]) for line in shown.out.splitlines()}

    assert set(lines().values()) == {"miss it has not run yet"}
    assert not (tmp_path / "out").exists()
    _, summary, _ = run()
    before = (tmp_path / "out" / "metadata.sqlite").read_bytes()
    write_class(corpus, "ant", 1, seed=9)
    explained = lines()
    assert len(explained) == len(summary["nodes"])
    assert explained["ImageExampleGen"].startswith("miss input_fingerprint ")
    assert explained["StatisticsGen"].startswith("open runs unless the content of ImageExampleGen")
    assert explained["Pusher"] == "miss it has not run yet"
    assert (tmp_path / "out" / "metadata.sqlite").read_bytes() == before


def test_schema_of_a_person(run, tmp_path):
    run()
    [inferred] = (tmp_path / "out" / "artifacts" / "SchemaGen" / "schema").glob("*/schema.pbtxt")
    schema = tmp_path / "schema.pbtxt"
    schema.write_text(inferred.read_text().replace('"cat"', '"cow"'))
    use = ("--set", f"data.schema_file={schema}")
    _, summary, _ = run(*use)
    texts = [anomaly["text"] for anomaly in summary["anomalies"]]
    assert "class 'cow' of the schema has no images" in texts
    assert any(text.startswith("class 'cat' is not in the schema (") for text in texts)
    schema.write_text(inferred.read_text())
    _, summary, _ = run(*use)
    assert state(summary, "SchemaGen") == "ran"
    assert summary["anomalies"] == []
    schema.write_text("feature {")
    status, summary, _ = run(*use)
    assert status == 2
    assert "data.schema_file must be a TensorFlow Metadata schema" in summary["verdict"]


def test_statistics_to_compare_with_can_be_named(run, corpus, tmp_path):
    run()
    [statistics] = (tmp_path / "out" / "artifacts" / "StatisticsGen" / "statistics").glob("*")
    shutil.copytree(statistics, tmp_path / "last year")
    shutil.rmtree(tmp_path / "out")
    shutil.rmtree(corpus / "ant")
    _, summary, _ = run()
    assert summary["anomalies"] == []
    _, summary, _ = run("--set", f"data.previous_statistics={tmp_path / 'last year'}")
    assert summary["anomalies"][0]["kind"] == "class_vanished"
    status, summary, _ = run("--set", f"data.previous_statistics={corpus}")
    assert status == 2
    assert "data.previous_statistics must be the folder" in summary["verdict"]


def test_other_limits_do_not_run_the_preprocessing_again(run):
    part = ("--until", "ImagePreprocessor")
    _, summary, _ = run(*part)
    assert state(summary, "ImagePreprocessor") == "ran"
    _, summary, _ = run(*part, "--set", "data.min_images_per_class=21")
    assert [(a["kind"], a["count"]) for a in summary["anomalies"]] == [("class_too_small", 3)]
    assert state(summary, "ExampleValidator") == "ran"
    assert state(summary, "ImagePreprocessor") == "cached"
