"""The plan of an ingestion: shuffled, cut into units, in little memory; and the splits."""

import hashlib
import tracemalloc
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing import features
from preprocessing.ingest import plan, unit
from preprocessing.problems import Problem
from preprocessing.sources import splits
from preprocessing.sources.base import Item


def make_items(count, num_bytes=10, root="/c", split=None):
    return [
        Item(uri=f"{root}/a/{i}", class_text="a", split=split, num_bytes=num_bytes)
        for i in range(count)
    ]


def units(items, folder, seed=0, root="/c"):
    made = plan.make_plan(items, root, folder, seed)
    return made, [list(made.items(one)) for one in range(made.num_units)]


def test_the_plan_follows_from_items_and_seed(tmp_path):
    items = make_items(100)
    _, first = units(items, tmp_path / "1")
    assert units(items[::-1], tmp_path / "2")[1] == first
    assert units(items, tmp_path / "3", seed=1)[1] != first
    assert sorted(item.uri for one in first for item in one) == sorted(i.uri for i in items)
    moved = units(make_items(100, root="/elsewhere/d"), tmp_path / "4", root="/elsewhere/d")[1]
    names = [[item.uri.rpartition("/")[2] for item in one] for one in first]
    assert [[item.uri.rpartition("/")[2] for item in one] for one in moved] == names


def test_units_are_cut_by_bytes_and_by_number(tmp_path, monkeypatch):
    _, cut = units(make_items(200, 1_000_000), tmp_path / "1")
    assert {len(one) for one in cut[:-1]} == {32}
    assert [len(one) for one in units(make_items(8, 0), tmp_path / "2")[1]] == [2, 2, 2, 2]
    monkeypatch.setattr(plan, "UNIT_ITEMS", 3)
    assert [len(one) for one in units(make_items(20), tmp_path / "3")[1]] == [3] * 6 + [2]
    assert units([], tmp_path / "4")[1] == []


def test_items_keep_all_that_they_say(tmp_path):
    item = Item(
        uri="s3://b/ \udcff犬\n.jpg", class_text=None, split="eval", num_bytes=7, file="/x",
        offset=3, length=4, problem=Problem("why", "so"), columns={"köpek": "犬"},
    )  # fmt: skip
    assert units([item], tmp_path)[1] == [[item]]


def test_memory_does_not_grow_by_more_than_the_keys(tmp_path):
    def lazily(count):
        for i in range(count):
            yield Item(uri=f"/c/class {i % 7}/{i:012d}.jpg", class_text="a", num_bytes=300)

    def peak(count):
        tracemalloc.start()
        plan.make_plan(lazily(count), "/c", tmp_path / str(count), 0)
        result = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return result

    peak(1000)
    assert (peak(30_000) - peak(10_000)) / 20_000 < 200  # bytes an item; as objects some 700


def test_left_out_items_are_counted(tmp_path):
    named = [*make_items(5, split="train"), *make_items(4, split="eval")]
    made, cut = units([*named, *make_items(3, split="test")], tmp_path)
    assert (made.num_items, made.left_out) == (9, {"test": 3})
    assert Counter(item.split for one in cut for item in one) == {"train": 5, "eval": 4}


@pytest.mark.parametrize(
    ("counts", "sides", "left_out"),
    [
        ({None: 9}, {}, set()),
        ({"train": 9}, {}, set()),
        ({"test": 9}, {}, set()),
        ({"train": 9, "eval": 1}, {"train": "train", "eval": "eval"}, set()),
        ({"train": 9, "test": 1}, {"train": "train", "test": "eval"}, set()),
        ({"train": 9, "eval": 1, "test": 1}, {"train": "train", "eval": "eval"}, {"test"}),
        ({"train": 9, None: 1}, {"train": "train"}, set()),
        ({"eval": 9, "test": 1}, {"eval": "eval"}, {"test"}),
        ({}, {}, set()),
    ],
)
def test_what_becomes_of_the_splits_of_a_source(counts, sides, left_out):
    rule = splits.decide(counts)
    assert (dict(rule.sides), rule.left_out) == (sides, left_out)


def test_content_decides_the_split_by_the_seed():
    digests = [hashlib.sha256(bytes([i])).hexdigest() for i in range(200)]
    chosen = [[unit.split_of(d, 0.25, seed) for d in digests] for seed in (0, 1)]
    assert chosen[0] != chosen[1]
    assert 30 < chosen[0].count(features.EVAL_SPLIT) < 70


@given(
    digest=st.binary(min_size=32, max_size=32).map(bytes.hex),
    seed=st.integers(0, 2**40),
    fractions=st.tuples(*[st.floats(0.001, 0.999)] * 2).map(sorted),
)
def test_a_larger_share_only_adds_images_to_the_evaluation(digest, seed, fractions):
    small, large = (unit.split_of(digest, fraction, seed) for fraction in fractions)
    assert (small, large) != (features.EVAL_SPLIT, features.TRAIN_SPLIT)
