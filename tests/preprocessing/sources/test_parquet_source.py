"""Parquet files with pictures, as datasets of Hugging Face are."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from container_files import pngs

from preprocessing import features
from preprocessing.errors import InputError
from preprocessing.files import records
from preprocessing.ingest import ingest
from preprocessing.problems import NO_CLASS
from preprocessing.sources.class_names import ClassNames
from preprocessing.sources.opening import open_source
from preprocessing.sources.parquet import ParquetSource

PICTURES = pngs(40)
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
NAMES = ["ant", "bee"]
CARD = """---
license: mit
dataset_info:
  features:
  - name: image
    dtype: image
  - name: label
    dtype:
      class_label:
        names:
          '0': ant
          '1': bee
---
# Ants and bees
"""


def metadata(names, label="label", image="image"):
    kinds = {image: {"_type": "Image"}, label: {"_type": "ClassLabel", "names": names}}
    return {"huggingface": json.dumps({"info": {"features": kinds}})}


def write(path, table, schema_metadata=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata(schema_metadata), path, **options)
    return path


def a_table(numbers=range(40), **more):
    images = [{"bytes": PICTURES[n], "path": f"{n}.png"} for n in numbers]
    labels = [n % 2 for n in numbers]
    columns = {"image": pa.array(images, IMAGE), "label": pa.array(labels, pa.int64())}
    return pa.table({**columns, **more})


def contents(source, tmp_path, make_pipeline):
    tmp_path.mkdir(exist_ok=True)
    fetched = source.fetched(tmp_path / "copies", make_pipeline())
    return [(item, fetched.read(item)) for item in fetched.items()]


def test_rows_are_images_with_the_names_of_the_dataset(tmp_path, make_pipeline):
    path = write(
        tmp_path / "train-00000-of-00001.parquet",
        a_table(camera=["left", None] * 20, night=[True] * 40, boxes=[[1.5]] * 40),
        metadata(NAMES),
        row_group_size=7,
    )
    source = open_source(str(path))
    assert isinstance(source, ParquetSource)
    survey = source.survey(1000)
    assert (survey.num_images, survey.num_classes) == (40, 2)
    found = contents(source, tmp_path, make_pipeline)
    assert [item.uri for item, _ in found] == [f"{path}#{n}" for n in range(40)]
    assert [content.data for _, content in found] == PICTURES
    assert [content.class_text for _, content in found] == NAMES * 20
    assert [content.label for _, content in found] == [0, 1] * 20
    assert found[0][1].columns == {"camera": "left", "night": "true"}
    assert found[1][1].columns == {"night": "true"}


def test_names_come_from_the_card_beside_the_files_or_from_the_config(tmp_path, make_pipeline):
    hub = tmp_path / "hub"
    write(hub / "data" / "train-00000-of-00001.parquet", a_table(range(30)))
    write(hub / "data" / "test-00000-of-00001.parquet", a_table(range(30, 40)))
    plain = contents(open_source(str(hub)), tmp_path / "1", make_pipeline)
    assert {content.class_text for _, content in plain} == {"0", "1"}
    (hub / "README.md").write_text(CARD)
    source = open_source(str(hub))
    assert (source.format, source.survey(9).num_classes) == ("parquet", 2)
    found = contents(source, tmp_path / "2", make_pipeline)
    assert {(item.split, content.class_text) for item, content in found} == {
        (split, name) for split in ("train", "test") for name in NAMES
    }
    named = ParquetSource(str(hub), ClassNames(("wasp", "fly")))
    found = contents(named, tmp_path / "3", make_pipeline)
    assert {content.class_text for _, content in found} == {"wasp", "fly"}


@pytest.mark.parametrize(
    ("columns", "label_column", "classes"),
    [
        ({"img": "image", "label": "label"}, "", {"0", "1"}),
        ({"jpg": "bytes", "text": "texts", "cls": "label"}, "", {"0", "1"}),
        ({"image": "image", "category": "texts"}, "", {"ant", "bee"}),
        ({"image": "image", "fine": "texts", "label": "label"}, "fine", {"ant", "bee"}),
        ({"mask": "image", "image": "image", "label": "words"}, "", {"ant", "bee"}),
    ],
)
def test_columns_are_found(tmp_path, make_pipeline, columns, label_column, classes):
    table = a_table()
    made = {
        "image": table["image"],
        "bytes": pa.array(PICTURES),
        "label": table["label"],
        "texts": pa.array(NAMES * 20),
        "words": pa.array(NAMES * 20).dictionary_encode(),
    }
    path = write(tmp_path / "x.parquet", pa.table({k: made[v] for k, v in columns.items()}))
    source = open_source(str(path), label_column=label_column)
    found = contents(source, tmp_path, make_pipeline)
    assert [content.data for _, content in found] == PICTURES
    assert {content.class_text for _, content in found} == classes


@pytest.mark.parametrize(
    ("columns", "schema_metadata", "message"),
    [
        (["label"], None, r"one column of images.*with none; it has the columns label \(int64\)"),
        (["image"], None, "one column of labels.*data.label_column.*with none"),
        (["image", "a", "b"], "two labels", "one column of labels.*with several: a, b"),
        (["image", "label"], ["crane", "dog", "crane"],
         "the name of label 2, 'crane', is that of label 0, too.*class_names_file"),
        (["image", "label"], ["a", " b"], "the name of label 1, ' b', is no printable text"),
    ],
)  # fmt: skip
def test_files_without_plain_columns_are_refused_in_one_line(
    tmp_path, make_pipeline, columns, schema_metadata, message
):
    table = a_table(a=[0] * 40, b=[0] * 40).select(columns)
    if schema_metadata == "two labels":
        kinds = {name: {"_type": "ClassLabel", "names": NAMES} for name in "ab"}
        made = {"huggingface": json.dumps({"info": {"features": kinds}})}
    else:
        made = metadata(schema_metadata) if schema_metadata else None
    source = ParquetSource(str(write(tmp_path / "x.parquet", table, made)))
    for look in (
        lambda: source.survey(9),
        lambda: source.fetched(tmp_path / "copies", make_pipeline()),
    ):
        with pytest.raises(InputError, match=message) as caught:
            look()
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"data\.label_column must be a column.*'nothing'"):
        ParquetSource(str(write(tmp_path / "y.parquet", a_table())), label_column="nothing").survey(
            9
        )


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[: len(data) // 2], lambda data: b"no Parquet", lambda data: b""],
)
def test_damaged_files_are_refused_in_one_line(tmp_path, make_pipeline, damage):
    path = write(tmp_path / "x.parquet", a_table(), metadata(NAMES))
    path.write_bytes(damage(path.read_bytes()))
    source = ParquetSource(str(path))
    for look in (
        lambda: source.survey(9),
        lambda: source.fetched(tmp_path / "copies", make_pipeline()),
    ):
        with pytest.raises(InputError, match=r"whole Parquet file.*x\.parquet") as caught:
            look()
        assert "\n" not in str(caught.value)


def test_damage_within_a_file_is_refused(tmp_path, make_pipeline):
    path = write(tmp_path / "x.parquet", a_table(), metadata(NAMES))
    data = bytearray(path.read_bytes())
    data[100 : len(data) // 2] = bytes(len(data) // 2 - 100)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"must be whole.*x\.parquet"):
        ParquetSource(str(path)).fetched(tmp_path / "copies", make_pipeline())


def test_rows_that_lack_something_are_images_that_cannot_be_used(tmp_path, make_pipeline):
    (tmp_path / "beside.png").write_bytes(PICTURES[5])
    images = [
        None,
        {"bytes": None, "path": "nowhere.png"},
        {"bytes": None, "path": "beside.png"},
        {"bytes": PICTURES[1], "path": None},
        {"bytes": PICTURES[2], "path": None},
    ]
    table = pa.table({"image": pa.array(images, IMAGE), "label": [0, 0, 0, -1, None]})
    path = write(tmp_path / "x.parquet", table, metadata(NAMES))
    found = [c for _, c in contents(ParquetSource(str(path)), tmp_path, make_pipeline)]
    assert [bool(content.data) for content in found] == [False, False, True, True, True]
    assert [content.problem and content.problem.reason for content in found] == [
        "no single image", "no single image", None, "no class", "no class",
    ]  # fmt: skip
    assert found[2].data == PICTURES[5]
    assert [content.problem and content.problem.detail for content in found] == [
        "no image", "nowhere.png: No such file or directory", None,
        "label -1 is outside of 0 to 1", "no label",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint64(), pa.float64()])
def test_a_number_beyond_the_names_of_the_dataset_is_no_class(tmp_path, make_pipeline, kind):
    table = a_table().set_column(1, "label", pa.array([0, 1, 2, None] * 10, kind))
    named = write(tmp_path / "named.parquet", table, metadata(NAMES))
    found = contents(ParquetSource(str(named)), tmp_path / "1", make_pipeline)
    assert [content.class_text for _, content in found] == ["ant", "bee", "", ""] * 10
    assert found[2][1].problem == (NO_CLASS, "label 2 is outside of 0 to 1")
    assert found[3][1].problem == (NO_CLASS, "no label")
    assert found[2][1].data == PICTURES[2]
    plain = write(tmp_path / "plain.parquet", table)
    found = contents(ParquetSource(str(plain)), tmp_path / "2", make_pipeline)
    assert [content.class_text for _, content in found] == ["0", "1", "2", ""] * 10


def test_two_workers_ingest_the_same_bytes(tmp_path, make_pipeline):
    for shard in range(3):
        path = tmp_path / "corpus" / f"train-{shard:05d}-of-00003.parquet"
        write(path, a_table(range(shard, 40, 3)), metadata(NAMES))
    trees = []
    for workers in (1, 2):
        output = tmp_path / str(workers)
        ingest.ingest(
            str(tmp_path / "corpus"), str(output), make_pipeline=make_pipeline(workers),
            eval_fraction=0.3, seed=3,
        )  # fmt: skip
        trees.append({p.name: p.read_bytes() for p in output.rglob("*") if p.is_file()})
    assert trees[0] == trees[1]
    found = [
        records.parse_record(record)
        for path in (tmp_path / "1").glob("Split-*/*")
        for record in records.read_records(str(path))
    ]
    assert sorted((v[features.ENCODED], v[features.CLASS_TEXT].decode()) for v in found) == sorted(
        (data, NAMES[n % 2]) for n, data in enumerate(PICTURES)
    )
