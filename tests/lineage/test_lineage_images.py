"""From an image to datasets and models, on small real manifests."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from made_runs import Image, MadeRuns, corpus

from pipeline import cli

CAT = Image("cat/0.png")
COPY = dataclasses.replace(CAT, name="cat/copy.png", content=b"cat/0.png", status="dropped",
                           reason="duplicate")  # fmt: skip
BAD = Image("dog/broken.png", status="quarantined", reason="unknown format")
JUDGED = Image("dog/judged.png", split="eval")
MODELS = {"small": b"small", "large": b"large", "tuned": b"tuned", "again": b"again"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> MadeRuns:
    """Two datasets, of which one has `CAT`; a model that was tuned from one trained on it."""
    runs = MadeRuns(tmp_path_factory.mktemp("out"))
    whole = [*corpus(), COPY, BAD, JUDGED]
    runs.whole("small", images=whole, model=b"small", push="1000")
    runs.whole("large", images=whole, model=b"large", right=2, blessed=False)
    without = [image for image in whole if image.name not in (CAT.name, COPY.name)]
    runs.whole("other", images=without, model=b"other")
    weights = b"weights of small"  # the file that the training of `small` left
    runs.whole("tuned", images=without, model=b"tuned", weights=weights, push="2000")
    runs.whole("again", images=without, model=b"again", weights=b"weights of tuned")
    return runs


@pytest.fixture(scope="module")
def digests(runs) -> dict[str, str]:
    """The model of each run, and its dataset."""
    found = {}
    for path in runs.artifacts.glob("lineage/*/lineage.json"):
        record = json.loads(path.read_text())
        found[path.parent.name] = record["model"]["digest"]
        found[f"data of {path.parent.name}"] = record["dataset"]["digest"]
    return found


def ask(capsys, runs, *arguments: str, status: int = 0):
    found = cli.main(["lineage", *arguments, "--output_dir", str(runs.folder)])
    captured = capsys.readouterr()
    assert found == status, captured.err
    return captured.err if status == 2 else captured.out


def as_json(capsys, runs, *arguments: str, status: int = 0):
    return json.loads(ask(capsys, runs, *arguments, "--format", "json", status=status))


@pytest.fixture(scope="module")
def file_of_cat(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "renamed.png"
    path.write_bytes(b"cat/0.png")
    return path


def test_every_way_to_name_an_image_gives_the_same_answer(capsys, runs, digests, file_of_cat):
    names = [CAT.sha256, CAT.sha256.upper(), str(file_of_cat)]
    names += ["0.png", "cat/0.png", "/pictures/cat/0.png", "copy.png"]
    for name in names:
        found = as_json(capsys, runs, "--image", name)
        assert [(p["uri"], p["status"], p["runs"]) for p in found["occurrences"]] == [
            ("/pictures/cat/0.png", "used", ["large", "small"]),
            ("/pictures/cat/copy.png", "dropped", ["large", "small"]),
        ]
        [used, dropped] = found["occurrences"]
        assert used["dataset"] == digests["data of small"]
        assert (used["split"], used["label"], used["class_name"]) == ("train", 0, "cat")
        assert (used["shard"], used["position"]) == ("train-00000-of-00001", 0)
        assert dropped["reason"] == "duplicate"


def test_models_of_an_image_also_those_that_were_not_pushed(capsys, runs, digests):
    found = as_json(capsys, runs, "--image", CAT.sha256)["models"]
    assert {(m["model"], m["how"]) for m in found} == {
        (digests["small"], "trained on it"),
        (digests["large"], "trained on it"),
        (digests["tuned"], "started from a model that was"),
        (digests["again"], "started from a model that was"),
    }
    pushed = {m["model"]: [p["version"] for p in m["pushes"]] for m in found}
    assert pushed[digests["small"]] == ["1000"]
    assert pushed[digests["large"]] == []


def test_evaluated_image_obliges_to_evaluate_and_not_to_retrain(capsys, runs, digests):
    found = as_json(capsys, runs, "--image", "judged.png", "--models_to_retrain")
    assert found["retrain"] == []
    assert {m["model"] for m in found["evaluate_again"]} == {
        digests[run] for run in ("small", "large", "other", "tuned", "again")
    }


def test_models_to_retrain(capsys, runs, digests):
    found = as_json(capsys, runs, "--image", "cat/0.png", "--models_to_retrain")
    retrain = [digests[run] for run in ("large", "small", "again", "tuned")]
    assert {m["model"] for m in found["retrain"]} == set(retrain)
    assert found["evaluate_again"] == []
    text = ask(capsys, runs, "--image", "cat/0.png", "--models_to_retrain")
    assert text.startswith("to retrain: 4 models\n")
    assert digests["other"][:12] not in text


def test_quarantined_image_is_in_no_model(capsys, runs):
    found = as_json(capsys, runs, "--image", "broken.png")
    assert {(p["status"], p["reason"]) for p in found["occurrences"]} == {
        ("quarantined", "unknown format")
    }
    assert found["models"] == []
    text = ask(capsys, runs, "--image", "broken.png")
    assert "train, quarantined: unknown format, class dog" in text
    assert "models     none was trained or evaluated on it" in text


def test_image_that_no_dataset_has(capsys, runs, tmp_path):
    for name in ("0" * 64, "0.pn", "png", "other/0.png"):
        assert "datasets   none holds it" in ask(capsys, runs, "--image", name)
    assert ask(capsys, runs, "--image", "0.pn", "--models_to_retrain") == "to retrain: none\n"


def test_file_that_changed_since_is_told_by_its_name(capsys, tmp_path):
    path = tmp_path / "cat" / "0.png"
    path.parent.mkdir()
    path.write_bytes(b"new bytes")
    runs = MadeRuns(tmp_path / "out")
    before = dataclasses.replace(CAT, folder=str(tmp_path), content=b"old bytes")
    runs.whole("one", images=[*corpus(), before])
    found = as_json(capsys, runs, "--image", str(path))
    assert found["occurrences"] == []
    assert [p["sha256"] for p in found["same_name"]] == [before.sha256]
    text = ask(capsys, runs, "--image", str(path))
    assert "datasets   none holds it" in text
    assert "under its name there were other bytes:" in text


def test_dataset_that_cannot_be_searched_is_told(capsys, runs, digests, tmp_path):
    folder = tmp_path / "out"
    shutil.copytree(runs.folder, folder)
    moved = MadeRuns(folder)
    for name in ("other", "tuned", "again"):
        record = json.loads((runs.artifacts / "lineage" / name / "lineage.json").read_text())
        uri = record["dataset"]["uri"].replace(str(runs.folder), str(folder))
        found = as_json(capsys, moved, "--image", CAT.sha256)  # the same lies elsewhere as well
        assert found["not_searched"] == {}
        (Path(uri) / "manifest.parquet").unlink()
    found = as_json(capsys, moved, "--image", CAT.sha256, "--models_to_retrain", status=3)
    assert list(found["not_searched"]) == [digests["data of other"]]
    assert len(found["retrain"]) == 4
    assert "NOT SEARCHED" in ask(capsys, moved, "--image", CAT.sha256, status=3)


def test_images_of_a_model(capsys, runs):
    lines = ask(capsys, runs, "small", "--images").splitlines()
    assert len(lines) == 13
    rows = [line.split("\t") for line in lines]
    assert ["train", "used", "cat", CAT.sha256, "/pictures/cat/0.png"] in rows
    assert [row[3] for row in rows] == sorted(row[3] for row in rows)
    objects = [
        json.loads(line)
        for line in ask(capsys, runs, "small", "--images", "--format", "json").splitlines()
    ]
    assert [row["uri"] for row in objects] == [row[4] for row in rows]


def test_downstream_of_a_dataset(capsys, runs, digests):
    found = as_json(capsys, runs, digests["data of small"][:12], "--downstream")
    assert (found["kind"], found["digest"]) == ("dataset", digests["data of small"])
    assert {m["model"]: m["how"] for m in found["models"]} == {
        digests["small"]: "trained on it",
        digests["large"]: "trained on it",
        digests["tuned"]: "started from a model that was",
        digests["again"]: "started from a model that was",
    }
    assert [run["id"] for run in found["runs"]] == ["large", "small"]
    text = ask(capsys, runs, digests["data of small"], "--downstream")
    assert text.startswith(f"dataset {digests['data of small']}\n")
    assert "trained on it" in text


def test_downstream_of_a_model_and_of_the_corpus(capsys, runs, digests):
    found = as_json(capsys, runs, "small", "--downstream")
    assert found["kind"] == "model"
    assert {m["model"] for m in found["models"]} == {digests["tuned"], digests["again"]}
    record = json.loads((runs.artifacts / "lineage" / "small" / "lineage.json").read_text())
    examples = str(record["source"]["artifact_id"])
    found = as_json(capsys, runs, examples, "--downstream")
    assert (found["kind"], found["datasets"]) == ("source", [digests["data of small"]])
    assert len(found["models"]) == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--image", ""], "takes a file, a SHA-256 or a name"),
        (["--image", "/"], "takes one image. Received: the folder '/'"),
        (["small", "--image", "0.png"], "takes nothing else. Received: small"),
        (["--image", "0.png", "--images"], "takes nothing else. Received: --images"),
        (["--models_to_retrain"], "needs --image"),
        (["--images", "--downstream"], "ask one of them"),
    ],
)
def test_wrong_questions_are_told_in_one_line(capsys, runs, arguments, said):
    error = ask(capsys, runs, *arguments, status=2)
    assert said in error
    assert len(error.splitlines()) == 1
