"""What TFDV's statistics of image facts give away, computed by TFDV from small tables."""

import dataclasses
import io
import json
from collections import Counter

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2

from components.example_validator.anomalies import find
from components.example_validator.limits import Limits
from preprocessing import features

LIMITS = Limits(min_images_per_class=3)


def rows(
    name: str, count: int, width: int = 64, height: int = 48, image_format: str = "JPEG"
) -> list[dict]:
    return [
        {
            features.CLASS_TEXT: name,
            features.FORMAT: image_format,
            features.WIDTH: width,
            features.HEIGHT: height,
            features.ASPECT_RATIO: width / height,
            features.NUM_BYTES: 1000 + i,
        }
        for i in range(count)
    ]


def statistics(**splits: list[dict]) -> dict:
    return {
        name: tfdv.generate_statistics_from_dataframe(pd.DataFrame(table), n_jobs=1)
        for name, table in splits.items()
    }


def index_file(folder, **splits: list[dict]) -> str:
    """The index that ImageExampleGen would write; a file is named by its split and its number."""
    keys = {
        "class": features.CLASS_TEXT,
        "format": features.FORMAT,
        "width": features.WIDTH,
        "height": features.HEIGHT,
        "bytes": features.NUM_BYTES,
    }
    path = folder / "index-00000-of-00001.jsonl"
    with path.open("w") as lines:
        for split, table in splits.items():
            for number, row in enumerate(table):
                entry = {key: row.get(feature) for key, feature in keys.items()}
                entry |= {"split": split, "uri": f"{split}/{number}.jpg"}
                lines.write(json.dumps(entry) + "\n")
    return str(path)


USUAL = statistics(train=rows("ant", 10) + rows("bee", 10), eval=rows("ant", 5) + rows("bee", 5))
SCHEMA = tfdv.infer_schema(USUAL["train"])


@pytest.fixture
def look(tmp_path):
    """Looks for anomalies; returns them, and the lines about single classes and files."""

    def look(current, schema=None, limits=LIMITS, previous=None, index=()):
        schema = schema or tfdv.infer_schema(current["train"])
        lines = io.StringIO()
        scratch = str(tmp_path)
        found = find(current, schema, limits, previous, index=index, scratch=scratch, items=lines)
        items = [json.loads(line) for line in lines.getvalue().splitlines()]

        def about(entry):
            return entry["split"], entry["feature"], entry["kind"]

        # Every anomaly has as many lines as it says, and every line belongs to one.
        counts = Counter(about(item) for item in items)
        for anomaly in map(dataclasses.asdict, found.anomalies):
            assert (anomaly["count"] or 0) >= len(anomaly["examples"])
            assert "\n" not in anomaly["text"]
            counts[about(anomaly)] -= anomaly["count"] or 0
        assert not any(counts.values())
        return found.anomalies, items

    return look


@pytest.fixture
def lines(look):
    return lambda *args, **kwargs: [anomaly.line() for anomaly in look(*args, **kwargs)[0]]


def test_usual_corpus_has_none(lines):
    assert lines(USUAL) == []
    assert lines(USUAL, previous=USUAL) == []


def test_class_that_is_gone_or_new_is_named_the_gone_first(look, lines):
    changed = statistics(
        train=rows("ant", 10) + rows("cat", 10), eval=rows("ant", 5) + rows("cat", 5)
    )
    found, _ = look(changed, previous=USUAL)
    assert [anomaly.kind for anomaly in found[:2]] == ["class_vanished", "class_new"]
    assert found[0].text == "class 'bee' has no images any more (15 in the corpus before)"
    assert found[1].text == "class 'cat' is new (15 images)"
    # Against the schema of the same images alone, nothing is odd.
    assert lines(changed) == []


def test_schema_of_a_person_knows_the_classes(lines):
    changed = statistics(
        train=rows("ant", 10) + rows("cat", 10), eval=rows("ant", 5) + rows("cat", 5)
    )
    found = lines(changed, SCHEMA)
    assert found[0] == "class 'bee' of the schema has no images"
    assert "class 'cat' is not in the schema (10 images) (split train)" in found
    assert "class 'cat' is not in the schema (5 images) (split eval)" in found


def test_drift_of_the_classes_is_measured_by_tfdv(lines):
    drifted = statistics(
        train=rows("ant", 18) + rows("bee", 2), eval=rows("ant", 5) + rows("bee", 5)
    )
    [line] = lines(drifted, previous=USUAL)
    assert line == (
        "the distribution of the class changed against the corpus before: L-infinity distance 0.4 "
        "(limit 0.1); 'ant' has 90.0% of the images instead of 50.0% (split train)"
    )
    assert (
        lines(drifted, previous=USUAL, limits=dataclasses.replace(LIMITS, max_class_drift=0.5))
        == []
    )


def test_drift_of_the_sizes(lines):
    narrow = [row for i in range(20) for row in rows("ant", 1, width=50 + i)]
    wide = [row for i in range(20) for row in rows("ant", 1, width=150 + i)]
    before = statistics(train=narrow)
    found = lines(statistics(train=wide), previous=before)
    [line] = [line for line in found if "of the width" in line]
    assert line.endswith(
        "Jensen-Shannon divergence 1 (limit 0.3); the values are 150 to 169 px (median 160) "
        "instead of 50 to 69 px (median 60) (split train)"
    )
    assert not any("of the height" in line for line in found)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        ({"width": 4}, "the smallest width is 4 px (limit 8): 1 picture, train/20.jpg"),
        ({"height": 30_000}, "the largest height is 30000 px (limit 20000): 1 picture, "),
        ({"width": 481}, "the largest aspect ratio is 10.02 (limit 10): 1 picture, "),
        ({"height": 641}, "the smallest aspect ratio is 0.0998 (limit 0.1): 1 picture, "),
        ({"height": 1092}, "the smallest aspect ratio is 0.06 (limit 0.1): 1 picture, "),
        ({"width": 9, "height": 19_999}, "the smallest aspect ratio is 0.0005 (limit 0.1): "),
    ],
)
def test_sizes_out_of_range(lines, tmp_path, size, text):
    table = rows("ant", 10) + rows("bee", 10) + rows("ant", 1, **size)
    found = lines(statistics(train=table), index=[index_file(tmp_path, train=table)])
    assert any(line.startswith(text) for line in found)
    # Without an index, the same is said without names.
    unnamed = lines(statistics(train=table))
    assert any(line == f"{text.partition(':')[0]} (split train)" for line in unnamed)


def test_ratio_at_its_limit_is_usual(lines, tmp_path):
    # 1/10 as a record holds it, a float32, is a little more than 0.1.
    table = rows("ant", 10, 10, 100) + rows("bee", 10, 100, 10)
    assert lines(statistics(train=table), index=[index_file(tmp_path, train=table)]) == []


def test_files_are_named_the_most_unusual_first_and_all_are_listed(look, tmp_path):
    table = [row for width in (30, 9, 40, 64) for row in rows("ant", 4, width, 999)]
    table += rows("bee", 20)
    [ratio], items = look(statistics(train=table), index=[index_file(tmp_path, train=table)])
    assert ratio.text == (
        "the smallest aspect ratio is 0.01 (limit 0.1): 16 pictures, for example train/4.jpg, "
        "train/5.jpg, train/6.jpg"
    )
    assert (ratio.feature, ratio.kind) == (features.ASPECT_RATIO, "float_type_small_float")
    order = [4, 5, 6, 7, 0, 1, 2, 3, 10, 11, 8, 9, 12, 13, 14, 15]
    names = [f"train/{number}.jpg" for number in order]
    assert ratio.examples == tuple(names[:10])
    assert ratio.count == 16
    assert [item["uri"] for item in items] == names
    assert items[0]["value"] == pytest.approx(9 / 999)


def test_names_are_shown_on_one_line(lines, tmp_path):
    # A newline and an escape sequence in names; the joiner belongs to the Persian word.
    table = rows("a\nb\x1b[31m", 2, 1000, 8) + rows("می\u200cروم", 2)
    path = index_file(tmp_path, train=table)
    text = (tmp_path / "index-00000-of-00001.jsonl").read_text()
    (tmp_path / "index-00000-of-00001.jsonl").write_text(text.replace("/0.jpg", "/\\n.jpg"))
    found = lines(statistics(train=table), index=[path])
    assert found == [
        "the largest aspect ratio is 125 (limit 10): 2 pictures, for example train/\\n.jpg, "
        "train/1.jpg (split train)",
        "2 of 2 classes have fewer than 3 images: 'a\\nb\\x1b[31m' (2), 'می\u200cروم' (2)",
    ]


def test_files_without_a_readable_header_are_one_anomaly(look, tmp_path):
    unreadable = [{features.CLASS_TEXT: "ant", features.NUM_BYTES: 7}] * 2
    splits = {"train": rows("ant", 10) + rows("bee", 10), "eval": rows("bee", 9) + unreadable}
    current = statistics(**splits)
    found, items = look(current, index=[index_file(tmp_path, **splits)], limits=Limits())
    [header] = [anomaly for anomaly in found if anomaly.count == 2]
    assert header.line() == (
        "the header cannot be read, so neither format nor size is known: 2 pictures, for example "
        "eval/10.jpg, eval/9.jpg (split eval)"
    )
    assert [item["value"] for item in items] == [None, None]


def test_formats_that_the_schema_does_not_have_are_named_with_their_files(look, tmp_path):
    table = rows("ant", 10) + rows("bee", 10) + rows("bee", 2, image_format="GIF")
    index = [index_file(tmp_path, train=table)]
    [anomaly], items = look(statistics(train=table), SCHEMA, index=index)
    assert anomaly.line() == (
        "the format is GIF (allowed: JPEG): 2 pictures, for example train/20.jpg, train/21.jpg "
        "(split train)"
    )
    assert [item["value"] for item in items] == ["GIF", "GIF"]


def test_limits_of_a_schema_come_first(lines):
    schema = schema_pb2.Schema()
    schema.CopyFrom(SCHEMA)
    for feature in schema.feature:
        if feature.name == features.WIDTH:
            feature.int_domain.max = 100
    wide = statistics(train=rows("ant", 10, width=101, height=100) + rows("bee", 10))
    assert any("101" in line for line in lines(wide, schema))
    tiny = statistics(train=rows("ant", 10) + rows("bee", 10) + rows("bee", 1, 5, 5))
    found = lines(tiny, schema)
    assert any("smallest height is 5 px" in line for line in found)
    assert not any("smallest width" in line for line in found)


def test_classes_with_few_images_or_missing_in_a_split(lines):
    small = statistics(train=rows("ant", 10) + rows("bee", 2), eval=rows("ant", 3))
    assert lines(small) == [
        "class 'bee' has no images (2 in all splits) (split eval)",
        "class 'bee' has 2 images, fewer than 3",
    ]


def test_many_classes_of_the_same_fault_are_one_anomaly(look):
    table = [row for number in range(600) for row in rows(f"class {number:03d}", 2)]
    split = {"train": table[:1201:2] + table[801::2], "eval": table[1:801:2]}
    found, items = look(statistics(**split))
    assert [(a.split, a.kind, a.count) for a in found] == [
        ("eval", "class_not_in_split", 200),
        ("", "class_too_small", 600),
    ]
    names = [f"class {number:03d}" for number in range(600)]
    assert found[0].examples == tuple(names[400:410])
    assert found[1].examples == tuple(names[:10])
    assert found[0].text.startswith(
        "200 of 600 classes have no images: 'class 400' (2 in all splits), 'class 401' "
    )
    assert found[1].text.startswith(
        "600 of 600 classes have fewer than 3 images: 'class 000' (2), 'class 001' (2), "
    )
    assert found[1].text.endswith("'class 009' (2), and 590 more")
    assert [item["class"] for item in items] == [*names[400:], *names]
    assert {item["images"] for item in items} == {2}


def test_several_classes_that_are_gone_or_new_or_not_in_the_schema(lines):
    changed = statistics(train=rows("cow", 12) + rows("dog", 9))
    assert lines(changed, SCHEMA, previous=USUAL)[:3] == [
        "2 classes have no images any more: 'ant' (15 before), 'bee' (15 before)",
        "2 classes are new: 'cow' (12 images), 'dog' (9 images)",
        "2 classes are not in the schema: 'cow' (12 images), 'dog' (9 images) (split train)",
    ]
    assert lines(changed, SCHEMA)[0] == "2 classes of the schema have no images: 'ant', 'bee'"


def test_smallest_classes_are_named_first(lines):
    table = rows("ant", 2) + rows("bee", 1) + rows("cat", 10)
    assert lines(statistics(train=table)) == [
        "2 of 3 classes have fewer than 3 images: 'bee' (1), 'ant' (2)"
    ]


def test_empty_split_is_no_fault_of_the_images(lines):
    empty = {**USUAL, "eval": statistics(eval=rows("ant", 1))["eval"]}
    empty["eval"].datasets[0].num_examples = 0
    del empty["eval"].datasets[0].features[:]
    found = lines(empty)
    assert found == [
        "2 of 2 classes have no images: 'ant' (10 in all splits), 'bee' (10 in all splits) "
        "(split eval)"
    ]
