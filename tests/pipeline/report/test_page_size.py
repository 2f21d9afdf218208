"""A page has at most 5 MB, whatever the corpus."""

import json

import made_pages
import pytest

from pipeline.report import node_details, page, registry
from pipeline.report.section import Section
from pipeline.report.sections import confusion

LONG = ("very long name " * 300).strip()


def test_long_names_and_many_classes_and_lines_stay_small(tmp_path):
    made = made_pages.make(tmp_path, classes=4000, images=3000)
    examples = tmp_path / "artifacts/r1/ImagePreprocessor/transformed_examples"
    (examples / "labels.txt").write_text("".join(f"{i} {LONG}\n" for i in range(4000)))
    run = tmp_path / "artifacts/r1/HorovodTrainer/model_run"
    (run / "train_log.jsonl").write_text(made_pages.training_log(epochs=5000))
    rows = [{"uri": f"/{i}/{LONG}", "class": LONG, "bytes": 1, "reason": "no"} for i in range(5000)]
    bad = tmp_path / "artifacts/r1/ImagePreprocessor/quarantine/quarantine.jsonl"
    bad.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "logs/r1/Pusher.log").write_text(LONG * 1000)
    page.write(made.page, made_pages.CONFIG, made.summary, made.results, tmp_path / "logs/r1")
    text = made.page.read_text()
    assert len(text.encode()) < page.MAX_MB * 1e6
    assert "Left out" not in text


def test_a_section_that_is_too_large_is_left_out_and_says_so(tmp_path, monkeypatch):
    huge = Section("settings", "Huge", lambda run: {"config": "x" * 6_000_000})
    monkeypatch.setattr(page, "SECTIONS", (*registry.SECTIONS[:-1], huge))
    text = made_pages.make(tmp_path).page.read_text()
    assert len(text) < page.MAX_MB * 1e6
    assert "Left out, since the page would have more than 5 MB with it." in text
    assert text.count("Left out") == 1
    assert "Confusion matrix" in text


def test_of_too_many_classes_the_worst_are_drawn():
    number = confusion.MAX_CLASSES + 3
    cells = [{"actual": i, "predicted": i, "count": 2} for i in range(number)]
    cells.append({"actual": number - 1, "predicted": 5, "count": 1})
    chosen = confusion.chosen_classes(cells, number)
    assert len(chosen) == confusion.MAX_CLASSES
    assert {5, number - 1} <= set(chosen)
    drawn = confusion.matrix(cells, [f"c{i}" for i in range(number)], chosen)
    row, column = drawn["names"].index(f"c{number - 1}"), drawn["names"].index("c5")
    assert [row, column, 1] in drawn["cells"]
    assert drawn["totals"][row] == 3


def test_details_of_nodes_are_kept_for_a_page_that_is_written_again(tmp_path):
    made = made_pages.make(tmp_path)
    bare = [made_pages.NodeResult(r.id, r.state, r.secs, r.outputs, r.why) for r in made.results]
    restored = node_details.restored(made.page.parent, bare)
    before = made.page.read_text()
    page.write(made.page, made_pages.CONFIG, made.summary, restored, tmp_path / "logs/r1")
    assert made.page.read_text() == before


@pytest.mark.parametrize("cells", [[], [{"actual": -1, "predicted": 0, "count": 4}]])
def test_without_answers_there_is_no_matrix(tmp_path, cells):
    made = made_pages.make(tmp_path)
    (tmp_path / "artifacts/r1/Evaluator/verdict/confusion.json").write_text(json.dumps(cells))
    page.write(made.page, made_pages.CONFIG, made.summary, made.results)
    text = made.page.read_text()
    assert 'id="confusion"' not in text
    assert 'id="matrix"' not in text
