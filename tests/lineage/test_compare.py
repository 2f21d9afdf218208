"""What differs between two runs, and what can explain it."""

import dataclasses
import json

import pytest
from made_runs import Image, MadeRuns, corpus

from lineage.compare.differences import compare
from lineage.record.run import Run
from pipeline import cli


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> MadeRuns:
    """Two runs that are the same but for settings and images, and one that is the first again."""
    runs = MadeRuns(tmp_path_factory.mktemp("out"))
    images = corpus()
    runs.whole("a", images=images, right=9)
    relabelled = dataclasses.replace(images[2], name="dog/2b.png", content=b"cat/2.png")
    moved = dataclasses.replace(images[3], split="eval")
    other = [*images[1:2], relabelled, moved, *images[4:], Image("fox/new.png")]
    runs.whole("b", settings={"trainer": {"max_epochs": 7}}, images=other, model=b"b", right=2,
               blessed=False)  # fmt: skip
    runs.whole("c", images=images, right=9)
    return runs


def ask(capsys, runs, *arguments: str):
    assert cli.main([*arguments, "--output_dir", str(runs.folder)]) == 0
    return capsys.readouterr().out


def test_only_what_differs_is_told(capsys, runs):
    found = json.loads(ask(capsys, runs, "runs", "--compare", "a", "b", "--json"))
    settings = {change["name"]: (change["before"], change["after"]) for change in found["settings"]}
    assert settings["trainer.max_epochs"][1] == 7
    assert all(name.startswith("trainer.") for name in settings)
    assert (found["code"], found["versions"], found["machine"]) == ([], [], [])
    assert [change["name"] for change in found["source"]] == ["splits.train", "splits.eval"]
    metrics = {change["name"]: (change["before"], change["after"]) for change in found["metrics"]}
    assert metrics == {"top_1": (0.9, 0.2)}
    classes = {change["name"]: (change["before"], change["after"]) for change in found["classes"]}
    assert classes["fox (train)"] == (None, 1)
    assert "cat (eval)" not in classes


def test_images_that_came_went_and_moved_are_named(capsys, runs):
    found = json.loads(ask(capsys, runs, "runs", "--compare", "a", "b", "--json"))["images"]
    assert found["counts"] == {"came": 1, "went": 1, "other split": 1, "other class": 1}
    assert found["examples"] == {
        "came": ["/pictures/fox/new.png"],
        "went": ["/pictures/cat/0.png"],
        "other split": ["/pictures/dog/3.png"],
        "other class": ["/pictures/dog/2b.png"],
    }
    assert found["classes"]["came"] == {"fox": 1}
    back = json.loads(ask(capsys, runs, "runs", "--compare", "b", "a", "--json"))["images"]
    assert back["examples"]["went"] == ["/pictures/fox/new.png"]


def test_comparison_as_text(capsys, runs):
    text = ask(capsys, runs, "runs", "--compare", "a", "b")
    assert text.startswith("a -> b\nrun b is worse: top-1 0.9000 -> 0.2000")
    for part in ("trainer.max_epochs", "1 image: went\n    /pictures/cat/0.png", "no paired test"):
        assert part in text
    for part in ("code", "versions", "trainer.img_size"):
        assert part not in text


def test_equal_runs_differ_in_nothing(capsys, runs):
    text = ask(capsys, runs, "runs", "--compare", "a", "c")
    assert text == (
        "a -> c\nrun c is as good: top-1 0.9000 -> 0.9000; it is the same model\n"
        "\nmetrics\n  no paired test: it is the same model\n"
    )
    text = ask(capsys, runs, "lineage", "--why", "a", "c")
    assert "nothing that could explain a difference differs" in text


def test_why_tells_the_likeliest_first(capsys, runs):
    found = json.loads(ask(capsys, runs, "lineage", "--why", "a", "b", "--format", "json"))
    kinds = [cause["kind"] for cause in found["causes"]]
    assert list(dict.fromkeys(kinds)) == ["data", "settings"]
    assert found["causes"][0]["text"] == "1 images went (cat 1)"
    assert any(c["text"].startswith("trainer.max_epochs ") for c in found["causes"])


def _with(run: Run, **parts) -> Run:
    return Run.model_validate({**run.model_dump(), **parts})


@pytest.fixture
def run(tmp_path) -> Run:
    return MadeRuns(tmp_path).whole("a", settings={"beam": {"num_workers": 1}})


def test_code_and_versions_that_differ(run):
    files = {**run.code.files, "trainer_module/loop.py": "0", "lineage/new.py": "1"}
    code = {**run.code.model_dump(), "files": files, "commit": "abc", "dirty": True}
    other = _with(run, code=code, versions={**run.versions, "numpy": "1.0"})
    found = compare(run, other)
    names = [change.name for change in found.code]
    assert names == ["commit", "trainer_module/loop.py", "lineage/new.py"]
    assert found.code[0].after == "abc, dirty"
    assert [(c.name, c.after) for c in found.versions] == [("numpy", "1.0")]


def test_paired_test_of_the_gate_is_used_in_both_directions(run):
    change = {"estimate": -0.1, "low": -0.2, "high": 0.05, "p_value": 0.03, "gained": 1, "lost": 2}
    judged = {**run.evaluation.verdict, "change": {"top_1": change}}
    other = _with(
        run,
        model={**run.model.model_dump(), "digest": "f" * 64},
        baseline={"version": "1", "served_from": "/x", "digest": run.model.digest},
        evaluation={**run.evaluation.model_dump(), "verdict": judged},
    )
    test = compare(run, other).paired
    assert (test.estimate, test.low, test.high, test.gained, test.lost) == (-0.1, -0.2, 0.05, 1, 2)
    back = compare(other, run).paired
    assert (back.estimate, back.low, back.high, back.gained, back.lost) == (0.1, -0.05, 0.2, 2, 1)
    assert back.p_value == test.p_value == 0.03


def test_worst_changed_classes_come_first(run):
    def judged(recalls):
        classes = [{"class": n, "recall": r, "images": 10} for n, r in recalls.items()]
        return {**run.evaluation.model_dump(),
                "verdict": {**run.evaluation.verdict, "classes": classes}}  # fmt: skip

    before = _with(run, evaluation=judged({"a": 0.9, "b": 0.9, "c": 0.5, "d": 0.5}))
    after = _with(run, evaluation=judged({"a": 0.8, "b": 0.2, "c": 0.6, "d": 0.5}))
    found = compare(before, after).recalls
    assert [change.name for change in found] == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["runs", "--compare", "a", "nothing"], "must have what is asked for"),
        (["runs", "--compare", "a", "b", "--last", "1"], "neither --last nor --data"),
        (["lineage", "a", "--why", "a", "b"], "--why takes two runs"),
    ],
)
def test_wrong_questions_are_told_in_one_line(capsys, runs, arguments, said):
    assert cli.main([*arguments, "--output_dir", str(runs.folder)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1
