"""Model cards of small real runs, read by huggingface_hub, without a network."""

import socket
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import model_index_to_eval_results
from hypothesis import given
from hypothesis import strategies as st
from made_runs import Image, MadeRuns, corpus

from components.content_digest import digest_of_folder
from components.evaluator.verdict import Override
from lineage.exports import markdown, model_card
from lineage.making import recorder
from lineage.record.run import Run
from pipeline.output_dir import report_dir

OVERRIDE = Override("the camera was broken", "ann", "2026-01-31T13:00:00Z")


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Reading a card must not ask a server."""

    def refuse(*_):
        raise AssertionError("the network is not used")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def runs(tmp_path) -> MadeRuns:
    return MadeRuns(tmp_path / "out")


def card_of(runs: MadeRuns, run_id: str) -> ModelCard:
    """The card with a run's report, read and written again without a difference."""
    path = report_dir(runs.folder, run_id) / model_card.FILE
    card = ModelCard.load(path)
    assert ModelCard(str(card)).data.to_dict() == card.data.to_dict()
    return card


def beside_versions(runs: MadeRuns) -> Path:
    return runs.folder / "serving" / "classifier" / model_card.FILE


def test_metadata_has_metrics_with_intervals_and_what_they_were_measured_on(runs):
    run = runs.whole("one", {"serving": {"license": "Apache-2.0"}}, push="1000")
    data = card_of(runs, "one").data
    assert (data.license, data.pipeline_tag) == ("apache-2.0", "image-classification")
    assert data.model_name == "classifier"
    first, second = data.eval_results[:2]
    assert (first.task_type, first.metric_type, first.metric_value) == (
        "image-classification", "accuracy", 0.8
    )  # fmt: skip
    assert first.dataset_name == "pictures"
    assert (first.dataset_split, first.dataset_revision) == ("eval", run.dataset.digest)
    assert first.metric_args == {
        "interval": run.evaluation.verdict["metrics"]["top_1_interval"],
        "confidence": 0.95,
    }
    assert (second.metric_type, second.metric_value) == ("top_5_accuracy", 1.0)
    index = data.to_dict()["model-index"]
    assert model_index_to_eval_results(index)[0] == "classifier"


def test_text_says_what_the_config_and_the_run_say(runs):
    settings = {
        "serving": {"intended_use": "Sorting pets.\n\nNot for *wild* animals."},
        "data": {"path": "/pictures", "description": "Pets of our town.", "license": "cc-by-4.0"},
        "trainer": {"max_epochs": 3},
    }
    bad = Image("cat/broken.png", status="quarantined", reason="unknown format")
    made = runs.start("one", **settings)
    made.all_nodes([*corpus(), bad], push="1000")
    run = made.end()
    text = card_of(runs, "one").text
    for line in (
        "Served as version 1000.",
        "Sorting pets.\n\nNot for *wild* animals.",
        "Pets of our town.",
        "| licence | cc-by-4.0 |",
        "| images, train | 6 |",
        "| left out: unknown format | 1 |",
        "| cat | 3 | 2 |",
        "| top-1 accuracy | 0.8000 | [0.4902, 0.9433] |",
        "- top-1 0.8000 \\[0.4902, 0.9433\\], minimum 0.5000: held",
        "| `max_epochs` | `3` |",
        f"| model digest | `{run.model.digest}` |",
        "It knows the 2 classes below and no others",
    ):
        assert line in text
    assert "data_dir" not in text


def test_slices_and_classes_are_in_text_and_metadata(runs):
    run = runs.whole("one", push="1000")
    figures = {"top_1": 0.5, "top_1_interval": [0.1, 0.9], "top_5": 1.0, "example_count": 4}
    slices = [{"slice": {"image/class/text": "c|t"}, **figures}]
    classes = [
        {"class": "c|t", "images": 4, "recall": 0.5, "recall_interval": [0.1, 0.9],
         "precision": None, "precision_interval": None, "predicted": 0,
         "taken_for": "dog", "taken_for_count": 2},
    ]  # fmt: skip
    judged = {**run.evaluation.verdict, "slices": slices, "classes": classes}
    evaluation = run.evaluation.model_copy(update={"verdict": judged})
    card = ModelCard(model_card.text(run.model_copy(update={"evaluation": evaluation})))
    assert "| class=c\\|t | 4 | 0.5000 | [0.1000, 0.9000] |" in card.text
    assert "| c\\|t | 4 | 0.5000 | [0.1000, 0.9000] |  |" in card.text
    assert "- c\\|t: recall 0.5000" in card.text.partition("## Limits")[2].partition("##")[0]
    [of_slice] = [r for r in card.data.eval_results if r.dataset_config and "acc" in r.metric_type][
        :1
    ]
    assert (of_slice.dataset_config, of_slice.metric_value) == ("class=c|t", 0.5)
    assert of_slice.metric_args["interval"] == [0.1, 0.9]


def test_card_lies_beside_the_served_model_and_not_in_it(runs):
    run = runs.whole("one", push="1000")
    assert beside_versions(runs).read_text() == model_card.text(run)
    version = runs.folder / "serving" / "classifier" / "1000"
    assert digest_of_folder(version) == run.model.digest
    assert [path.name for path in version.iterdir()] == ["saved_model.pb"]


def test_card_beside_the_versions_is_that_of_the_newest(runs):
    made = runs.start("new")
    made.all_nodes(push="2000")
    made.end()
    newest = beside_versions(runs).read_text()
    runs.whole("old", model=b"old", push="1000")
    assert beside_versions(runs).read_text() == newest
    assert "Served as version 1000." in card_of(runs, "old").text


def test_model_that_was_refused_says_so_and_is_beside_nothing(runs):
    runs.whole("one", right=1, blessed=False)
    text = card_of(runs, "one").text
    assert "**Not served**: not blessed: top-1 0.1000" in text
    assert ": **failed**" in text
    assert not beside_versions(runs).exists()


def test_override_is_told_in_both_cards(runs):
    made = runs.start("one")
    made.all_nodes(blessed=False)
    made.end()
    made.push("1000", OVERRIDE)
    said = {"status": "pushed", "verdict": "blessed by ann", "nodes": []}
    recorder.update(runs.store, runs.folder, "one", said)
    for text in (card_of(runs, "one").text, beside_versions(runs).read_text()):
        assert "**against the gate**" in text
        assert "ann decided so on 2026-01-31 13:00 UTC because: the camera was broken." in text


def test_run_without_a_model_has_no_card(runs):
    failed = runs.start("one")
    failed.data(corpus())
    failed.node("HorovodTrainer", {}, state=4)
    failed.end()
    assert not (report_dir(runs.folder, "one") / model_card.FILE).exists()


def test_model_that_was_not_evaluated_has_a_card(runs):
    made = runs.start("one")
    made.data(corpus())
    made.train(b"weights")
    made.end()
    card = card_of(runs, "one")
    assert card.data.eval_results is None
    assert "It was not evaluated." in card.text


def test_many_classes_stay_readable(runs):
    names = [f"class-{i:04d}" for i in range(1000)]
    images = [Image(f"{name}/{i}.png", "train") for i, name in enumerate(names)]
    made = runs.start("one")
    made.all_nodes([*images, *corpus(0, 4)], push="1000")
    made.end()
    text = card_of(runs, "one").text
    assert "tells 1002 classes" in text
    assert "and 952 more: see the report of the run." in text
    assert len(text.splitlines()) < 250


@pytest.mark.parametrize(
    ("given_license", "told"),
    [
        ("", {}),
        ("MIT", {"license": "mit"}),
        ("Our own terms", {"license": "other", "license_name": "Our own terms"}),
        ("https://a.b/c", {"license": "other", "license_link": "https://a.b/c"}),
    ],
)
def test_licences(runs, given_license, told):
    runs.whole("one", {"serving": {"license": given_license}})
    found = card_of(runs, "one").data.to_dict()
    assert told.items() <= found.items()
    assert ("license" in found) == bool(given_license)


@given(name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_name_stands_on_one_line_of_a_table(name):
    for shown in (markdown.text(name), markdown.code(name)):
        assert len(shown.splitlines()) <= 1
        cells = shown.replace("\\\\", "").replace("\\|", "")
        assert "|" not in cells
    assert "<" not in markdown.text(name)


def test_records_of_a_store_before_have_a_card_too(runs):
    """Settings and figures that an earlier version did not write down are not missed."""
    run = runs.whole("one", push="1000")
    judged = {"blessed": True, "reason": "", "metrics": {"top_1": 0.5, "example_count": 4}}
    evaluation = run.evaluation.model_copy(update={"verdict": judged})
    trainer = {key: run.settings["trainer"][key] for key in ("arch", "img_size", "eval_img_size")}
    old: Run = run.model_copy(
        update={"evaluation": evaluation, "settings": {"trainer": trainer}, "code": None}
    )
    card = ModelCard(model_card.text(old))
    assert [result.metric_value for result in card.data.eval_results] == [0.5]
    assert yaml.safe_load(model_card.text(old).split("---")[1])["pipeline_tag"]
