"""Croissant descriptions of the datasets of small real runs, read by mlcroissant."""

import hashlib
import json
import shutil
from pathlib import Path

import mlcroissant
import pytest
from made_runs import Image, MadeRuns, corpus

from lineage.exports import croissant
from pipeline.output_dir import report_dir
from preprocessing import features


@pytest.fixture
def runs(tmp_path) -> MadeRuns:
    return MadeRuns(tmp_path / "out")


def path_of(runs: MadeRuns, run_id: str = "one") -> Path:
    return report_dir(runs.folder, run_id) / croissant.FILE


def read(path: Path) -> mlcroissant.Dataset:
    """A description that mlcroissant finds no fault with."""
    dataset = mlcroissant.Dataset(jsonld=path)
    assert dataset.metadata.ctx.issues.errors == set()
    return dataset


def test_files_have_their_digests_and_are_there(runs):
    record = runs.whole("one")
    found = read(path_of(runs)).metadata.distribution
    files = {entry.id: entry for entry in found if isinstance(entry, mlcroissant.FileObject)}
    assert set(files) == {
        "Split-eval/eval-00000-of-00001",
        "Split-train/train-00000-of-00001",
        "manifest.parquet",
    }
    for name, file in files.items():
        content = (path_of(runs).parent / file.content_url).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file.sha256
        assert content == Path(record.dataset.uri, name).read_bytes()
    [shards] = [entry for entry in found if isinstance(entry, mlcroissant.FileSet)]
    assert len(shards.contained_in) == 2


def test_records_have_image_label_and_more(runs):
    runs.whole("one")
    sets = {entry.id: entry for entry in read(path_of(runs)).metadata.record_sets}
    fields = {field.name: field for field in sets["images"].fields}
    columns = {name: field.source.extract.column for name, field in fields.items()}
    assert columns["image"] == features.ENCODED
    assert columns["label"] == features.LABEL
    assert columns["sha256"] == features.SHA256
    assert str(fields["image"].data_types[0]) == "https://schema.org/ImageObject"
    assert fields["label"].references.field == "classes/label"


def test_rows_of_all_files_are_read(runs):
    bad = Image("cat/broken.png", status="quarantined", reason="unknown format")
    made = runs.start("one")
    made.all_nodes([*corpus(), bad])
    made.end()
    dataset = read(path_of(runs))
    rows = list(dataset.records("files"))
    assert len(rows) == 11
    assert sorted(row["files/uri"].decode() for row in rows) == sorted(
        image.uri for image in [*corpus(), bad]
    )
    [broken] = [row for row in rows if row["files/status"] == b"quarantined"]
    assert broken["files/reason"] == b"unknown format"
    assert broken["files/sha256"].decode() == bad.sha256
    classes = [(row["classes/label"], row["classes/name"]) for row in dataset.records("classes")]
    assert [(label, str(name)) for label, name in classes] == [(0, "cat"), (1, "dog")]
    assert {row["splits/name"] for row in dataset.records("splits")} == {"train", "eval"}


def test_config_says_what_only_people_know(runs):
    data = {"path": "/pictures", "description": "Pets of our town.", "license": "cc-by-4.0"}
    run = runs.whole("one", {"data": data})
    metadata = read(path_of(runs)).metadata
    assert metadata.name == "pictures"
    assert metadata.description == "Pets of our town."
    assert metadata.license == ["cc-by-4.0"]
    assert json.loads(path_of(runs).read_text())["identifier"] == f"sha256:{run.dataset.digest}"


def test_without_a_licence_none_is_claimed(runs):
    runs.whole("one")
    assert "license" not in json.loads(path_of(runs).read_text())
    assert read(path_of(runs)).metadata.description == "10 images in 2 classes, from /pictures"


def test_output_folder_that_was_moved_is_described_still(runs, tmp_path):
    runs.whole("one")
    moved = tmp_path / "moved"
    shutil.move(runs.folder, moved)
    dataset = read(report_dir(moved, "one") / croissant.FILE)
    assert len(list(dataset.records("files"))) == 10


def test_run_that_takes_its_data_from_another_describes_it_too(runs):
    first = runs.start("one")
    first.data(corpus())
    first.end()
    second = runs.start("two")
    for node in ("ImageExampleGen", "ImagePreprocessor"):
        second.cached(node, first)
    second.end()
    one, two = (json.loads(path_of(runs, name).read_text()) for name in ("one", "two"))
    assert one["distribution"] == two["distribution"]
    assert one["identifier"] == two["identifier"]


def test_run_without_a_dataset_describes_none(runs):
    failed = runs.start("one")
    failed.node("ImageExampleGen", {}, state=4)
    failed.end()
    assert not path_of(runs).exists()


@pytest.mark.parametrize("name", ["ü & <b>", "a#b c", "😀"])
def test_any_name_of_a_class_and_a_folder(tmp_path, name):
    runs = MadeRuns(tmp_path / name)
    runs.whole("one", images=corpus(classes=(name, "dog")))
    dataset = read(path_of(runs))
    assert name in {str(row["classes/name"]) for row in dataset.records("classes")}
    assert len(list(dataset.records("files"))) == 10
