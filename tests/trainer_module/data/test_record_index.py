"""The index of TFRecord files."""

import gzip

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.errors import InputError
from trainer_module.data import record_index


def write(path, contents):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in contents:
            writer.write(record)
    return str(path)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.binary(max_size=200), max_size=8), min_size=1, max_size=4))
def test_reads_in_any_order_what_was_written(tmp_path_factory, shards):
    folder = tmp_path_factory.mktemp("records")
    files = [write(folder / f"train-{n}", shard) for n, shard in enumerate(shards)]
    index = record_index.build_index(files)
    expected = [record for shard in shards for record in shard]
    assert len(index) == len(expected)
    order = np.random.default_rng(0).permutation(len(expected))
    assert index.read(order) == [expected[place] for place in order]


@pytest.mark.parametrize("name", ["records", "[a-z]", "a[1]", "*", "?", "[", "{a,b}"])
def test_finds_the_layout_of_tfx_and_the_flat_one(tmp_path, name):
    tmp_path = tmp_path / name
    split = tmp_path / "Split-eval"
    split.mkdir(parents=True)
    shard = write(split / "eval-00000-of-00001", [b"x"])
    assert record_index.find_shards(str(tmp_path), ("eval", "validation")) == [shard]
    flat = write(tmp_path / "validation-00000-of-00001", [b"x"])
    assert record_index.find_shards(str(tmp_path), ("validation",)) == [flat]
    with pytest.raises(InputError, match="train-"):
        record_index.find_shards(str(tmp_path), ("train",))


def test_a_flipped_bit_is_noticed_and_located(tmp_path):
    path = tmp_path / "train-0"
    write(path, [b"first", b"second"])
    data = bytearray(path.read_bytes())
    data[-6] ^= 1
    path.write_bytes(data)
    index = record_index.build_index([str(path)])
    assert index.read([0]) == [b"first"]
    with pytest.raises(record_index.DataError, match=r"train-0.*offset 21"):
        index.read([1])


@pytest.mark.parametrize("cut", [1, 5, 13])
def test_a_truncated_file_is_refused(tmp_path, cut):
    path = tmp_path / "train-0"
    write(path, [b"first", b"second"])
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(InputError, match="truncated"):
        record_index.build_index([str(path)])


def test_other_files_are_refused(tmp_path):
    packed = tmp_path / "train-0"
    packed.write_bytes(gzip.compress(b"x" * 100))
    with pytest.raises(InputError, match="compressed"):
        record_index.build_index([str(packed)])
    text = tmp_path / "train-1"
    text.write_text("path,label\n" * 10)
    with pytest.raises(InputError, match="not a TFRecord file"):
        record_index.build_index([str(text)])


def test_class_names(tmp_path):
    with pytest.raises(InputError, match=r"labels\.txt"):
        record_index.class_names(str(tmp_path), 0)
    assert record_index.class_names(str(tmp_path), 3) == ["0", "1", "2"]
    (tmp_path / "labels.txt").write_text("ant\nbée\n", encoding="utf-8")
    assert record_index.class_names(str(tmp_path), 0) == ["ant", "bée"]
    with pytest.raises(InputError, match="num_classes"):
        record_index.class_names(str(tmp_path), 3)
    (tmp_path / "labels.txt").write_text("ant\n")
    with pytest.raises(InputError, match="two names or more"):
        record_index.class_names(str(tmp_path), 0)
    (tmp_path / "labels.txt").write_bytes("\ufeffant\r\nbée\r\n".encode())
    assert record_index.class_names(str(tmp_path), 2) == ["ant", "bée"]
    (tmp_path / "labels.txt").write_text("ant\nant\n")
    with pytest.raises(InputError, match="line 2 is 'ant', and so is line 1"):
        record_index.class_names(str(tmp_path), 0)
