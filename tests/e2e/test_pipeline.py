"""The whole DAG on a small corpus of real digits, through the command line."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

import browser
import fresh_process
import pytest
import yaml
from digits_pictures import CLASSES, write_pictures
from ml_metadata.proto import metadata_store_pb2
from playwright import sync_api
from playwright.sync_api import expect
from trainings import kill_family, wait_until

from components.stored_names import RUN_FILES
from pipeline import cli
from pipeline.mlmd.connection import locate
from pipeline.mlmd.handle import Handle

# The first test waits for a whole run.
pytestmark = pytest.mark.timeout(900)

NODES = {
    "ImageExampleGen",
    "StatisticsGen",
    "SchemaGen",
    "ExampleValidator",
    "ImagePreprocessor",
    "HorovodTrainer",
    "LatestBlessedModel",
    "Evaluator",
    "ServingValidator",
    "Pusher",
}
ROOT = Path(__file__).parents[2]
IMAGES_PER_CLASS = 25


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """75 pictures in 3 classes, and one file that is none."""
    folder = tmp_path_factory.mktemp("corpus")
    write_pictures(folder, IMAGES_PER_CLASS)
    (folder / "0" / "broken.png").write_bytes(b"\x89PNG no picture")
    return folder


@pytest.fixture(scope="module")
def config(tmp_path_factory, corpus) -> Path:
    path = tmp_path_factory.mktemp("config") / "tiny.yaml"
    values = {
        "data": {"path": str(corpus)},
        "preprocessing": {"max_bad_fraction": 0.05},
        "trainer": {
            "width_coefficient": 0.1,
            "depth_coefficient": 0.1,
            "n_stages": 2,
            "base_img_size": 32,
            "img_size": 32,
            "eval_img_size": 32,
            "max_epochs": 2,
            "lr_warmup_epochs": 1,
            "train_batch_size": 8,
            "num_processes": 2,
            "optimizer": "adamw",
            "moving_average_decay": 0.0,
        },
        "evaluation": {"min_top_1": 0.0, "max_top_1_drop": 0.0},
    }
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.fixture(scope="module")
def output_dir(tmp_path_factory, config) -> Path:
    """The output folder of a first run, which was started among a person's files under MPI."""
    folder = tmp_path_factory.mktemp("output [1] *? {x}")
    person = tmp_path_factory.mktemp("person")
    for name in ("random", "yaml", "preprocessing"):
        (person / f"{name}.py").write_text("raise SystemExit('taken for a library')\n")
    with pytest.MonkeyPatch.context() as surroundings:
        surroundings.chdir(person)
        surroundings.setenv("OMPI_COMM_WORLD_RANK", "0")
        surroundings.setenv("OMPI_COMM_WORLD_SIZE", "1")
        assert cli.main(["run", str(config), "--output_dir", str(folder)]) == 0
    assert sorted(file.name for file in person.iterdir()) == [
        "preprocessing.py",
        "random.py",
        "yaml.py",
    ]
    shutil.copy(folder / "summary.json", folder / "first.json")
    return folder


def _command(config: Path, folder: Path, *more: str) -> list[str]:
    command = [sys.executable, "-m", "pipeline.cli", "run", str(config)]
    return [*command, "--output_dir", str(folder), *more]


def _summary(folder: Path, name: str = "summary.json") -> dict:
    return json.loads((folder / name).read_text())


def _states(summary: dict) -> dict[str, str]:
    assert len(summary["nodes"]) == len(NODES)
    return {node["id"]: node["state"] for node in summary["nodes"]}


def _versions(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder / "serving" / "classifier") if name.isdigit())


def test_first_run_runs_every_node_once_and_pushes(output_dir):
    summary = _summary(output_dir, "first.json")
    assert _states(summary) == dict.fromkeys(NODES, "ran")
    assert summary["status"] == "pushed"
    assert 0 <= summary["top_1"] <= summary["top_5"] <= 1
    assert summary["images"] == {"seen": 76, "used": 75, "quarantined": 1, "duplicates": 0}
    assert Path(summary["pushed_to"], "saved_model.pb").is_file()
    assert Path(summary["pushed_to"]).parent == output_dir / "serving" / "classifier"
    report = Path(summary["report"])
    assert "broken.png" in report.read_text()
    assert yaml.safe_load((report.parent / "config.yaml").read_text())["trainer"]["seed"] == 0
    logs = output_dir / "logs" / summary["run_id"]
    assert {log.stem for log in logs.glob("*.log")} >= NODES
    # The ranks compare their weights at the end; a difference would have failed the node.
    assert "2 processes (Horovod with " in (logs / "HorovodTrainer.log").read_text()


def test_other_formats_describe_the_first_run(output_dir):
    """Croissant's columns are those of the records, and the card is beside the served version."""
    import mlcroissant
    import tensorflow as tf
    from huggingface_hub import ModelCard

    summary = _summary(output_dir, "first.json")
    reports = Path(summary["report"]).parent
    dataset = mlcroissant.Dataset(jsonld=reports / "croissant.json")
    assert len(list(dataset.records("files"))) == 76
    [images] = [entry for entry in dataset.metadata.record_sets if entry.id == "images"]
    columns = {field.name: field.source.extract.column for field in images.fields}
    shards = [f for f in dataset.metadata.distribution if "Split-" in f.id]
    paths = [str(reports / shard.content_url) for shard in shards]
    examples = [
        tf.train.Example.FromString(record.numpy()) for record in tf.data.TFRecordDataset(paths)
    ]
    assert len(examples) == 75
    for example in examples:
        assert set(columns.values()) <= set(example.features.feature)
    card = ModelCard.load(Path(summary["pushed_to"]).parent / "README.md")
    assert card.data.eval_results[0].metric_value == summary["top_1"]
    events = [json.loads(line) for line in (reports / "openlineage.jsonl").open()]
    assert [e["eventType"] for e in (events[0], events[-1])] == ["START", "COMPLETE"]
    ended = {e["job"]["name"].rpartition(".")[2] for e in events if e["eventType"] == "COMPLETE"}
    assert ended >= NODES


def test_pushed_model_predicts(output_dir, corpus, capfd):
    assert cli.main(["predict", str(output_dir), str(corpus / "1"), "--json"]) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert len(lines) == IMAGES_PER_CLASS
    assert all(line["label"] in CLASSES for line in lines)


def test_second_run_takes_all_from_the_cache(output_dir, config, capfd):
    assert cli.main(["run", str(config), "--output_dir", str(output_dir)]) == 0
    first, second = _summary(output_dir, "first.json"), _summary(output_dir)
    assert _states(second) == dict.fromkeys(NODES, "cached")
    assert second["run_id"] != first["run_id"]
    same = ("status", "top_1", "top_5", "verdict", "model", "pushed_to", "images")
    assert {key: second[key] for key in same} == {key: first[key] for key in same}
    terminal = capfd.readouterr()
    assert terminal.err == ""
    assert first["pushed_to"] in terminal.out


def test_pages_of_the_runs(output_dir, open_page):
    """Of the first run, whose nodes ran, and the second one, which took all from the cache."""
    first, second = (
        _summary(output_dir, name)["run_id"] for name in ("first.json", "summary.json")
    )
    page = open_page(output_dir / "reports" / "index.html")
    page.get_by_label(f"Tick run {first}").check()
    page.get_by_label(f"Tick run {second}").check()
    page.get_by_role("link", name="Compare the two ticked runs").click()
    expect(page.locator("main")).to_contain_text("it is the same model")
    page.get_by_role("link", name=first).click()
    expect(page.locator("main > p.said")).to_contain_text("It passed all checks and is served")
    page.get_by_role("button", name="Whole graph").click()
    assert (
        set(page.locator(".graph-node.ran").evaluate_all("all => all.map(node => node.dataset.id)"))
        == NODES
    )
    page.locator("[data-id=HorovodTrainer]").click()
    details = page.locator("#graph-details")
    expect(details).to_contain_text("MB of memory at its peak")
    details.get_by_text("Settings").click()
    expect(details.get_by_role("row", name="train_config.arch efficientnetv2-s")).to_be_visible()
    details.get_by_text("End of the log").click()
    expect(details.locator("pre")).not_to_be_empty()
    expect(page.locator("#training .drawing svg")).to_have_count(5)
    assert browser.problems(page) == []
    page.get_by_role("link", name="All runs").click()
    page.get_by_role("link", name=second).click()
    expect(page.locator(".state.cached").first).to_be_visible()
    _check_page(page, "Nothing had changed since an earlier run")


def _check_page(page: sync_api.Page, said: str) -> None:
    """Its sentence has these words, and everybody can use it."""
    expect(page.locator("main > p.said")).to_contain_text(said)
    assert browser.problems(page) == []


def test_model_below_the_threshold_is_not_pushed(output_dir, config, capfd, open_page):
    before = _versions(output_dir)
    # The picture's classes are guessed after two epochs; right on all of them is out of reach.
    arguments = ["run", str(config), "--output_dir", str(output_dir)]
    assert cli.main([*arguments, "--set", "evaluation.min_top_1=1.0"]) == 1
    summary = _summary(output_dir)
    assert summary["status"] == "not_blessed"
    assert summary["pushed_to"] is None
    assert summary["verdict"].startswith("not blessed: top-1")
    assert summary["verdict"] in capfd.readouterr().out
    states = _states(summary)
    assert {node for node, state in states.items() if state == "ran"} == {"Evaluator", "Pusher"}
    assert _versions(output_dir) == before
    _check_page(open_page(Path(summary["report"])), "It is not served: the gate refused it (top-1 ")


def test_person_overrides_the_gate(output_dir, capfd, open_page):
    """After the run above: its model is the one that is served already, so no version is new."""
    before = _versions(output_dir)
    reason = "good enough for the trial"
    assert cli.main(["bless", "latest", "--reason", reason, "--output_dir", str(output_dir)]) == 0
    said = capfd.readouterr().out
    assert "minimum 1.0000: not blessed" in said
    assert reason in said
    summary = _summary(output_dir)
    assert summary["status"] == "pushed"
    assert summary["verdict"].endswith(f"against the gate: {reason}")
    assert Path(summary["pushed_to"]).name in _versions(output_dir)
    assert _versions(output_dir) == before
    page = open_page(Path(summary["report"]))
    _check_page(
        page, f"decided to serve it, as version {Path(summary['pushed_to']).name}: {reason}."
    )
    page.locator("[data-id=Evaluator]").click()  # what the run knew of its nodes is there still
    expect(page.locator("#graph-details")).to_contain_text("HorovodTrainer.model")
    assert cli.main(["bless", "latest", "--reason", reason, "--output_dir", str(output_dir)]) == 0


def test_removed_version_is_pushed_again(output_dir, config):
    shutil.rmtree(_summary(output_dir, "first.json")["pushed_to"])
    assert cli.main(["run", str(config), "--output_dir", str(output_dir)]) == 0
    summary = _summary(output_dir)
    assert {n for n, state in _states(summary).items() if state == "ran"} == {"Pusher"}
    assert Path(summary["pushed_to"], "saved_model.pb").is_file()
    # And from now on it is cached again.
    assert cli.main(["run", str(config), "--output_dir", str(output_dir)]) == 0
    assert set(_states(_summary(output_dir)).values()) == {"cached"}


def test_corpus_with_too_many_bad_files_is_the_persons_to_mend(output_dir, config, open_page):
    command = _command(config, output_dir, "--set", "preprocessing.max_bad_fraction=0.001")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stderr) == (2, "")
    summary = _summary(output_dir)
    states = _states(summary)
    assert summary["status"] == "failed"
    assert states["ImageExampleGen"] == "cached"
    assert states["ImagePreprocessor"] == "failed"
    assert states["Pusher"] == states["HorovodTrainer"] == "skipped"
    assert summary["verdict"].startswith("ImagePreprocessor failed: ")
    # What the sentence counts, the summary has for scripts, and the report names.
    assert "Received: 1 of 76: 1 " in summary["verdict"]
    assert summary["images"] == {"seen": 76, "used": 75, "quarantined": 1, "duplicates": 0}
    assert "76 seen, 75 used, 1 quarantined" in done.stdout
    quarantine = Path(summary["quarantine"], "quarantine.jsonl").read_text()
    assert json.loads(quarantine)["uri"].endswith("/broken.png")
    assert "broken.png</td>" in Path(summary["report"]).read_text()
    assert summary["verdict"] in done.stdout.splitlines()
    log = output_dir / "logs" / summary["run_id"] / "ImagePreprocessor.log"
    assert str(log) in done.stdout
    assert "Traceback" in log.read_text()
    # A person sees the nodes and the summary, and nothing of what the libraries print.
    assert len(done.stdout.splitlines()) < 40
    page = open_page(Path(summary["report"]))
    _check_page(page, "The run stopped with an error: ImagePreprocessor failed: ")
    expect(page.locator("#graph-details pre")).to_contain_text("Traceback")


def _content(folder: Path, choose: Callable) -> dict[str, bytes]:
    """The files of one artifact of each output of each node, by node, output and name."""
    found = {}
    for output in (folder / "artifacts").glob("*/*"):
        if output.parent.name not in NODES:  # a person's override of the gate
            continue
        made = [path for path in output.iterdir() if path.name.isdigit()]
        for path in choose(made, key=lambda path: int(path.name)).rglob("*") if made else []:
            name = path.relative_to(output).parts[1:]
            is_run_file = any(fnmatchcase("/".join(name), pattern) for pattern in RUN_FILES)
            if path.is_file() and not is_run_file:
                found["/".join([*output.parts[-2:], *name])] = path.read_bytes()
    return found


def test_run_after_a_killed_one_simply_works_and_makes_the_same(tmp_path, config, output_dir):
    arguments = ["run", str(config), "--output_dir", str(tmp_path)]
    killed = fresh_process.start(cli.main, arguments, stdout=tmp_path / "printed.txt")
    wait_until(lambda: list(tmp_path.glob("artifacts/HorovodTrainer/unfinished/*")), killed)
    kill_family(killed)
    assert not (tmp_path / "summary.json").exists()

    assert cli.main(arguments) == 0
    states = _states(_summary(tmp_path))
    assert states["ImagePreprocessor"] == "cached"
    assert states["HorovodTrainer"] == "ran"
    with Handle(locate("", tmp_path / "metadata.sqlite")) as handle:
        ended = [execution.last_known_state for execution in handle.store.get_executions()]
    assert metadata_store_pb2.Execution.RUNNING not in ended
    assert metadata_store_pb2.Execution.FAILED in ended

    # Every artifact was made twice, in different folders, with a training that was cut off.
    first, again = _content(output_dir, min), _content(tmp_path, max)
    assert len({name.split("/")[0] for name in first}) == len(NODES)
    assert sorted(first) == sorted(again)
    assert [name for name in first if first[name] != again[name]] == []
