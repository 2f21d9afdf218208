"""The paired test of any two evaluated runs, and the images that one model alone gets right."""

import dataclasses
import hashlib
import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import Image, MadeRuns, corpus
from scipy import stats

from components.evaluator import intervals, predictions
from lineage.compare import answers
from lineage.compare.differences import compare
from pipeline import cli

# 0, 2, ... are cats, 1, 3, ... dogs; from 6 on they are in the evaluation split.
IMAGES = corpus(train=6, evaluation=20)


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> MadeRuns:
    """No run is the other's baseline. `b` loses three images and gains one; `other` shares ten."""
    runs = MadeRuns(tmp_path_factory.mktemp("out"))
    runs.whole("a", images=IMAGES, model=b"a", mistakes={"cat/6.png": "dog"})
    wrong = {"dog/7.png": "cat", "dog/9.png": "cat", "cat/8.png": "dog"}
    runs.whole("b", images=IMAGES, model=b"b", mistakes=wrong)
    renamed = dataclasses.replace(IMAGES[9], name="fox/9.png", content=IMAGES[9].name.encode())
    new = [Image(f"cat/new {i}.png", "eval") for i in range(5)]
    other = [*IMAGES[:9], renamed, *IMAGES[10:17], *new]
    runs.whole("other", images=other, model=b"c", mistakes={"dog/7.png": "cat"})
    runs.whole("without", images=IMAGES, model=b"d")
    elsewhere = [dataclasses.replace(i, content=b"x" + i.name.encode()) for i in IMAGES]
    runs.whole("disjoint", images=elsewhere, model=b"e", mistakes={})
    return runs


def ask(capsys, runs, *arguments: str):
    assert cli.main([*arguments, "--output_dir", str(runs.folder)]) == 0
    return capsys.readouterr().out


def test_two_runs_on_the_same_images(capsys, runs):
    found = json.loads(ask(capsys, runs, "runs", "--compare", "a", "b", "--json"))
    test = found["paired"]
    assert (test["images"], test["gained"], test["lost"]) == (20, 1, 3)
    assert test["estimate"] == pytest.approx(-2 / 20)
    assert test["p_value"] == pytest.approx(stats.binomtest(1, 4).pvalue)
    assert (test["low"], test["high"]) == intervals.paired_change(1, 3, 20, 0.95)
    changed = found["answers"]["examples_lost"]
    assert {c["after"]["uri"] for c in changed} == {
        "/pictures/dog/7.png", "/pictures/dog/9.png", "/pictures/cat/8.png"
    }  # fmt: skip
    assert {(c["before"]["predicted"], c["after"]["predicted"]) for c in changed} == {
        ("dog", "cat"), ("cat", "dog")
    }  # fmt: skip
    [gained] = found["answers"]["examples_gained"]
    assert (gained["after"]["uri"], gained["before"]["correct"]) == ("/pictures/cat/6.png", False)
    assert found["answers"]["by_class"] == {
        "cat": {"images": 10, "gained": 1, "lost": 1},
        "dog": {"images": 10, "gained": 0, "lost": 2},
    }
    assert found["answers"]["relabelled"] == 0


def test_the_other_way_round_is_the_same_test(capsys, runs):
    forth = json.loads(ask(capsys, runs, "runs", "--compare", "a", "b", "--json"))["paired"]
    back = json.loads(ask(capsys, runs, "runs", "--compare", "b", "a", "--json"))["paired"]
    assert back["p_value"] == forth["p_value"]
    assert (back["estimate"], back["gained"], back["lost"]) == (-forth["estimate"], 3, 1)
    assert back["low"] == pytest.approx(-forth["high"], abs=1e-9)


def test_as_text(capsys, runs):
    text = ask(capsys, runs, "runs", "--compare", "a", "b")
    assert "on the same 20 images: top-1 changes by -0.1000 [" in text
    assert "images from right to wrong\n  /pictures/" in text
    assert "  /pictures/dog/7.png: dog, dog 0.7500 -> cat 0.7500\n" in text
    assert (
        "images from wrong to right\n  /pictures/cat/6.png: cat, dog 0.7500 -> cat 0.7500" in text
    )
    assert "more than chance" not in text.replace("no more than chance", "")
    why = ask(capsys, runs, "lineage", "--why", "a", "b")
    assert why.startswith("run b is worse: top-1 0.9500 -> 0.8500, no more than chance on the same")


def test_only_what_both_evaluated_under_the_same_label_counts(capsys, runs):
    found = json.loads(ask(capsys, runs, "runs", "--compare", "a", "other", "--json"))
    # 6 to 16 without 9, which is a fox there.
    assert (found["paired"]["images"], found["answers"]["relabelled"]) == (10, 1)
    assert (found["paired"]["gained"], found["paired"]["lost"]) == (1, 1)
    text = ask(capsys, runs, "runs", "--compare", "a", "other")
    assert "on the 10 images that both evaluated" in text
    assert "1 further image that both evaluated: under another label, and not counted" in text


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ("without", "run without was evaluated by a version that kept no answers"),
        ("disjoint", "they share no evaluation image"),
    ],
)
def test_why_there_is_no_test(capsys, runs, second, said):
    assert f"no paired test: {said}" in ask(capsys, runs, "runs", "--compare", "a", second)
    found = json.loads(ask(capsys, runs, "runs", "--compare", "a", second, "--json"))
    assert (found["paired"], found["answers"]) == (None, None)


def test_answers_that_are_gone_are_named(capsys, runs, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(runs.folder, moved)
    for path in (moved / "artifacts" / "Evaluator").rglob(predictions.FILE):
        path.unlink()
    assert cli.main(["runs", "--compare", "a", "b", "--output_dir", str(moved)]) == 0
    out = capsys.readouterr().out
    assert f"no paired test: the answers for single images are not here: {moved}" in out


def test_baseline_and_candidate_of_one_evaluation(tmp_path):
    """The gate's own test, and the images that it counted."""
    runs = MadeRuns(tmp_path)
    first = runs.whole("a", images=IMAGES, model=b"a", mistakes={})
    second = runs.whole("b", images=IMAGES, model=b"b", mistakes={"dog/7.png": "cat"})
    rows = [
        [*row[:4], *row[4:11], row[3], 0.9, 0.9, True, True, [row[3]], [0.9]]
        for row in map(list, map(dict.values, _rows(second.evaluation.predictions)))
    ]
    predictions.write(second.evaluation.predictions, rows)
    change = {"estimate": -0.05, "low": -0.2, "high": 0.1, "p_value": 1.0, "gained": 0, "lost": 1}
    judged = {**second.evaluation.verdict, "change": {"top_1": change}}
    evaluation = second.evaluation.model_copy(update={"verdict": judged})
    baseline = {"version": "1", "served_from": "/x", "digest": first.model.digest}
    second = type(second).model_validate(
        {**second.model_dump(), "baseline": baseline, "evaluation": evaluation.model_dump()}
    )
    found = compare(first, second)
    assert (found.paired.low, found.paired.lost) == (-0.2, 1)
    assert [c.after.uri for c in found.answers.examples_lost] == ["/pictures/dog/7.png"]
    assert found.answers.examples_lost[0].before.probability == pytest.approx(0.9)
    back = compare(second, first)
    assert (back.paired.high, back.paired.gained) == (0.2, 1)
    assert [c.after.uri for c in back.answers.examples_gained] == ["/pictures/dog/7.png"]


def _rows(path: str):
    return [row for table in predictions.read(path) for row in table.to_pylist()]


def _write(path, labelled: list[tuple[int, str, bool]]) -> str:
    """Answers for images by number, class, and whether they are right."""
    rows = [
        [
            hashlib.sha256(bytes([number])).hexdigest(), f"{i}.png", "eval", name,
            name if right else "?", 0.5, 0.5, right, True, ["a"], [0.5],
            *[None] * len(predictions.ANSWER),
        ]
        for i, (number, name, right) in enumerate(labelled)
    ]  # fmt: skip
    predictions.write(str(path), sorted(rows, key=lambda row: row[:2]))
    return str(path)


ANSWERS = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from("ab"), st.booleans()), min_size=1, max_size=12
)


@given(ANSWERS, ANSWERS)
def test_every_image_is_paired_once_whatever_copies_and_labels_there_are(
    tmp_path_factory, before, after
):
    folder = tmp_path_factory.mktemp("pairs")
    found = answers.of_two_files(
        _write(folder / "a.parquet", before), _write(folder / "b.parquet", after)
    )

    def count(rows, number, name):
        return sum((n, c) == (number, name) for n, c, _ in rows)

    keys = {(n, c) for n, c, _ in [*before, *after]}
    assert found.images == sum(min(count(before, *k), count(after, *k)) for k in keys)
    rights = [sum(right for _, _, right in rows) for rows in (before, after)]
    if sorted((n, c) for n, c, _ in before) == sorted((n, c) for n, c, _ in after):
        assert found.relabelled == 0
        assert found.gained - found.lost == rights[1] - rights[0]
    shared = sum(
        min(sum(n == number for n, _, _ in rows) for rows in (before, after)) for number in range(7)
    )
    assert found.images + found.relabelled == shared
    assert sum(c.images for c in found.by_class.values()) == found.images
    assert len(found.examples_lost) == min(found.lost, answers.MAX_EXAMPLES)
