"""What TFDV's statistics of image facts give away, computed by TFDV from small tables."""

import dataclasses

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2

from components.example_validator.anomalies import find
from components.example_validator.limits import Limits
from preprocessing import features

LIMITS = Limits(min_images_per_class=3)


def rows(name: str, count: int, width: int = 64, height: int = 48) -> list[dict]:
    return [
        {
            features.CLASS_TEXT: name,
            features.FORMAT: "JPEG",
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


USUAL = statistics(train=rows("ant", 10) + rows("bee", 10), eval=rows("ant", 5) + rows("bee", 5))
SCHEMA = tfdv.infer_schema(USUAL["train"])


def lines(current, schema=None, limits=LIMITS, previous=None) -> list[str]:
    schema = schema or tfdv.infer_schema(current["train"])
    return [anomaly.line() for anomaly in find(current, schema, limits, previous).anomalies]


def test_usual_corpus_has_none():
    assert lines(USUAL) == []
    assert lines(USUAL, previous=USUAL) == []


def test_class_that_is_gone_or_new_is_named_the_gone_first():
    changed = statistics(
        train=rows("ant", 10) + rows("cat", 10), eval=rows("ant", 5) + rows("cat", 5)
    )
    found = find(changed, tfdv.infer_schema(changed["train"]), LIMITS, USUAL).anomalies
    assert [anomaly.kind for anomaly in found[:2]] == ["class_vanished", "class_new"]
    assert found[0].text == "class 'bee' has no images any more (15 in the corpus before)"
    assert found[1].text == "class 'cat' is new (15 images)"
    # Against the schema of the same images alone, nothing is odd.
    assert lines(changed) == []


def test_schema_of_a_person_knows_the_classes():
    changed = statistics(
        train=rows("ant", 10) + rows("cat", 10), eval=rows("ant", 5) + rows("cat", 5)
    )
    found = lines(changed, SCHEMA)
    assert found[0] == "class 'bee' of the schema has no images"
    assert any("cat" in line and "Unexpected string values" in line for line in found)


def test_drift_of_the_classes_is_measured_by_tfdv():
    drifted = statistics(
        train=rows("ant", 18) + rows("bee", 2), eval=rows("ant", 5) + rows("bee", 5)
    )
    [line] = lines(drifted, previous=USUAL)
    assert "Linfty distance" in line
    assert "0.4" in line
    assert line.endswith("(split train)")
    assert (
        lines(drifted, previous=USUAL, limits=dataclasses.replace(LIMITS, max_class_drift=0.5))
        == []
    )


def test_drift_of_the_sizes():
    narrow = [row for i in range(20) for row in rows("ant", 1, width=50 + i)]
    wide = [row for i in range(20) for row in rows("ant", 1, width=150 + i)]
    before = statistics(train=narrow)
    found = lines(statistics(train=wide), previous=before)
    assert any(features.WIDTH in line and "Jensen-Shannon" in line for line in found)
    assert not any(features.HEIGHT in line for line in found)


@pytest.mark.parametrize(
    ("size", "feature"),
    [
        ({"width": 4}, features.WIDTH),
        ({"height": 30_000, "width": 30_000}, features.HEIGHT),
        ({"width": 481}, features.ASPECT_RATIO),
        ({"height": 641}, features.ASPECT_RATIO),
    ],
)
def test_sizes_out_of_range(size, feature):
    odd = statistics(train=rows("ant", 10) + rows("bee", 10) + rows("ant", 1, **size))
    [line, *_] = [line for line in lines(odd) if line.startswith(feature)]
    assert "Out-of-range values" in line


def test_limits_of_a_schema_come_first():
    schema = schema_pb2.Schema()
    schema.CopyFrom(SCHEMA)
    for feature in schema.feature:
        if feature.name == features.WIDTH:
            feature.int_domain.max = 100
    wide = statistics(train=rows("ant", 10, width=101, height=100) + rows("bee", 10))
    assert any("101" in line for line in lines(wide, schema))
    tiny = statistics(train=rows("ant", 10) + rows("bee", 10) + rows("bee", 1, 5, 5))
    assert not any(line.startswith(features.WIDTH) for line in lines(tiny, schema))


def test_classes_with_few_images_or_missing_in_a_split():
    small = statistics(train=rows("ant", 10) + rows("bee", 2), eval=rows("ant", 3))
    assert lines(small) == [
        "class 'bee' has no images (2 in all splits) (split eval)",
        "class 'bee' has 2 images, fewer than 3",
    ]


def test_empty_split_is_no_fault_of_the_images():
    empty = {**USUAL, "eval": statistics(eval=rows("ant", 1))["eval"]}
    empty["eval"].datasets[0].num_examples = 0
    del empty["eval"].datasets[0].features[:]
    found = lines(empty)
    assert found == [
        f"class '{name}' has no images (10 in all splits) (split eval)" for name in ("ant", "bee")
    ]
