"""The same pictures, ingested from every kind of source."""

import csv
import gzip
import hashlib
import itertools
import json
from collections import Counter

import pytest
from container_files import example, pngs, write_tar, write_tfrecord
from dataset_files import read, tree
from nasty_corpus import write_tree

from preprocessing import features, transform
from preprocessing.errors import InputError
from preprocessing.ingest import ingest
from preprocessing.sources.opening import open_source

CLASSES = ["ant", "bee"]
PICTURES = [(CLASSES[number % 2], data) for number, data in enumerate(pngs(40))]


def as_folder(root):
    files = {f"{name}/{number}.png": data for number, (name, data) in enumerate(PICTURES)}
    return write_tree(root, files)


def as_manifest(root):
    as_folder(root / "pictures")
    with open(root / "list.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", "camera"])
        for number, (name, _) in enumerate(PICTURES):
            table.writerow([f"pictures/{name}/{number}.png", name, ["left", ""][number % 2]])
    return root / "list.csv"


def as_tfrecords(root, compressed=False):
    made = [example(image__encoded=data, image__class__text=name) for name, data in PICTURES]
    for shard in range(3):
        name = f"x-{shard:05d}-of-00003" + (".gz" if compressed else "")
        write_tfrecord(root / name, made[shard::3], compressed)
    return root


def as_compressed_tfrecords(root):
    return as_tfrecords(root, compressed=True)


def as_tars(root):
    for shard in range(3):
        members = {}
        for number, (name, data) in list(enumerate(PICTURES))[shard::3]:
            members |= {f"{number:03d}.png": data, f"{number:03d}.cls": name.encode()}
        write_tar(root / f"x-{shard}.tar", members)
    return root


def run(path, output, maker, **options):
    given = {"eval_fraction": 0.3, "seed": 3, **options}
    summary = ingest.ingest(
        str(path), str(output), make_pipeline=maker, facts=f"{output}-facts", **given
    )
    assert json.loads((output / features.INGESTION_FILE).read_text()) == summary
    return summary


def index(folder):
    return [entry for path in ingest.index_files(folder) for entry in ingest.read_index(path)]


ALL = [as_folder, as_manifest, as_tfrecords, as_compressed_tfrecords, as_tars]


@pytest.mark.parametrize("make", ALL)
def test_pictures_classes_and_splits_are_the_same(tmp_path, make, make_pipeline):
    corpus = make(tmp_path / "corpus")
    summary = run(corpus, tmp_path / "out", make_pipeline())
    found = read(tmp_path / "out")
    assert sorted(
        (values[features.CLASS_TEXT].decode(), values[features.ENCODED]) for _, values in found
    ) == sorted(PICTURES)
    for split, values in found:
        digest = hashlib.sha256(values[features.ENCODED]).hexdigest()
        assert values[features.SHA256].decode() == digest
        assert values[features.FILENAME].decode().startswith(str(tmp_path / "corpus"))
        assert split == ingest_split(digest)
    assert summary["images"] == 40
    assert summary["split_from"] == {"source": 0, "content": 40}
    assert summary["splits"] == Counter(split for split, _ in found)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "Split-eval", "Split-train", "index", "ingestion.json",
    ]  # fmt: skip
    entries = index(tmp_path / "out")
    assert {(entry["format"], entry["height"], entry["width"]) for entry in entries} == {
        ("png", 30, 40)
    }
    columns = Counter(entry["columns"].get("camera") for entry in entries)
    assert columns == ({"left": 20, None: 20} if make is as_manifest else {None: 40})
    facts = read(tmp_path / "out-facts")
    assert Counter(values.get(f"{features.COLUMN_PREFIX}camera") for _, values in facts) == (
        {b"left": 20, None: 20} if make is as_manifest else {None: 40}
    )


def ingest_split(digest):
    from preprocessing.ingest.unit import split_of

    return split_of(digest, 0.3, 3)


def test_the_shuffle_goes_across_containers(tmp_path, make_pipeline):
    run(as_tars(tmp_path / "corpus"), tmp_path / "out", make_pipeline())
    for split in ingest.SPLITS:
        order = [
            values[features.FILENAME].decode().rpartition("#")[0]
            for of, values in read(tmp_path / "out")
            if of == split
        ]
        changes = sum(a != b for a, b in itertools.pairwise(order))
        assert len(set(order)) == 3
        assert changes > len(order) / 3  # in the order of the containers there would be 2


def test_two_workers_write_the_same_bytes_from_containers(tmp_path, make_pipeline):
    corpus = as_compressed_tfrecords(tmp_path / "corpus")
    run(corpus, tmp_path / "one", make_pipeline(1))
    run(corpus, tmp_path / "two", make_pipeline(2))
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert tree(tmp_path / "one-facts") == tree(tmp_path / "two-facts")


def test_splits_of_the_source_are_kept_and_test_is_left_out(tmp_path, make_pipeline):
    corpus = tmp_path / "corpus"
    sides = ["train", "train", "validation", "test"]
    for number, (name, data) in enumerate(PICTURES):
        side = sides[number // 2 % 4]
        write_tree(corpus, {f"{side}/{name}/{number}.png": data})
    copy = next(path for path in (corpus / "train").rglob("*.png"))
    (corpus / "validation" / copy.parent.name / "copy.png").write_bytes(copy.read_bytes())
    summary = run(corpus, tmp_path / "out", make_pipeline())
    assert summary["splits"] == {"train": 20, "eval": 11}
    assert summary["left_out"] == {"test": 10}
    assert summary["split_from"] == {"source": 31, "content": 0}
    entries = index(tmp_path / "out")
    assert {entry["split_from"] for entry in entries} == {"source"}
    sides = {}
    for entry in entries:
        sides.setdefault(entry["sha256"], set()).add(entry["split"])
    assert list(map(len, sides.values())).count(2) == 1  # the index tells of it


def test_rows_without_a_split_go_by_their_content(tmp_path, make_pipeline):
    as_folder(tmp_path)
    lines = ["path,label,split"]
    for number, (name, _) in enumerate(PICTURES):
        lines.append(f"{name}/{number}.png,{name},{['train', ''][number // 2 % 2]}")
    (tmp_path / "list.csv").write_text("\n".join(lines))
    summary = run(tmp_path / "list.csv", tmp_path / "out", make_pipeline())
    assert summary["split_from"] == {"source": 20, "content": 20}
    for entry in index(tmp_path / "out"):
        if entry["split_from"] == "content":
            assert entry["split"] == ingest_split(entry["sha256"])
        else:
            assert entry["split"] == "train"


def test_a_row_without_its_file_is_a_record_that_says_so(tmp_path, make_pipeline):
    path = as_manifest(tmp_path)
    with open(path, "a") as file:
        file.write("pictures/none.png,ant,left\n")
    run(path, tmp_path / "out", make_pipeline())
    (missing,) = [v for _, v in read(tmp_path / "out") if features.PROBLEM in v]
    assert missing[features.PROBLEM] == b"unreadable file"
    assert missing[features.PROBLEM_DETAIL] == b"No such file or directory"
    assert missing[features.FILENAME].decode() == str(tmp_path / "pictures/none.png")


def test_images_of_no_class_are_no_class(tmp_path, make_pipeline):
    made = [example(image__encoded=data, image__class__text=name) for name, data in PICTURES]
    made.append(example(image__encoded=PICTURES[0][1]))
    write_tfrecord(tmp_path / "x.tfrecord", made)
    run(tmp_path / "x.tfrecord", tmp_path / "out", make_pipeline())
    (unknown,) = [v for _, v in read(tmp_path / "out") if features.PROBLEM in v]
    assert unknown[features.PROBLEM] == b"no class"
    assert unknown[features.ENCODED] == PICTURES[0][1]
    digest = hashlib.sha256(PICTURES[0][1]).hexdigest().encode()
    assert unknown[features.SHA256] == digest
    assert [entry["class"] for entry in index(tmp_path / "out")].count("") == 1
    names = transform.write_transform_graph(
        ingest.index_files(tmp_path / "out"),
        str(tmp_path / "graph"),
        make_pipeline=make_pipeline(),
        temp_dir=str(tmp_path / "temp"),
    )
    assert names == CLASSES


def test_a_damaged_container_leaves_nothing(tmp_path, make_pipeline):
    corpus = as_compressed_tfrecords(tmp_path / "corpus")
    path = sorted(corpus.iterdir())[1]
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-5]))
    with pytest.raises(InputError, match=f"{path.name}: truncated"):
        run(corpus, tmp_path / "out", make_pipeline())
    assert [p.name for p in tmp_path.iterdir()] == ["corpus"]


def test_where_a_corpus_lies_does_not_change_the_order(tmp_path, make_pipeline):
    orders = []
    for name in ("here", "there"):
        corpus = as_folder(tmp_path / name / "corpus")
        run(corpus, tmp_path / f"{name}-out", make_pipeline())
        orders.append([values[features.SHA256] for _, values in read(tmp_path / f"{name}-out")])
    assert orders[0] == orders[1]
    assert len(set(orders[0])) == 40
    assert open_source(str(tmp_path / "here" / "corpus")).format == "folder"
