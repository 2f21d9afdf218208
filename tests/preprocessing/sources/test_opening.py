"""Which kind of source a path is, and the file of class names."""

import pytest
from container_files import example, write_tar, write_tfrecord
from nasty_corpus import write_tree

from preprocessing.errors import InputError
from preprocessing.sources.class_names import read_class_names
from preprocessing.sources.opening import FORMATS, open_source

FILES = {
    "images/a/1.png": b"1",
    "images/b/1.png": b"2",
    "images/labels.csv": b"beside the classes",
    "sides/train/a/1.png": b"1",
    "sides/val/a/1.png": b"2",
    "list.csv": b"path,label\nimages/a/1.png,a\nimages/b/1.png,b\n",
    "mixed/a/1.png": b"1",
    "loose/1.png": b"1",
    "both/x": b"1",
    "odd/a[1]/1.png": b"1",
    "odd/b*/1.png": b"1",
    "odd[1]/what?.csv": b"path,label\n1.png,a\n2.png,b\n",
    "split folders/train/1.jpg": b"1",
    "split folders/test/1.jpg": b"1",
    "split folders/labels.csv": b"path,label\n",
    "what.bin": b"1",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = write_tree(tmp_path_factory.mktemp("opening"), FILES)
    record = example(image__encoded=b"1", image__class__text="a")
    tar = {"1.jpg": b"1", "1.cls": b"a"}
    write_tfrecord(folder / "records" / "train-00000-of-00001", [record])
    write_tfrecord(folder / "tfx" / "Split-train" / "x-00000-of-00001.gz", [record], True)
    write_tar(folder / "tars" / "x.tar", tar)
    write_tar(folder / "tars [1]" / "x*.tar", tar)
    write_tar(folder / "tars by split" / "val" / "x.tgz", tar, compressed=True)
    write_tar(folder / "mixed" / "x.tar", tar)
    write_tar(folder / "both" / "x.tar", tar)
    write_tfrecord(folder / "both" / "x.tfrecord", [record])
    return folder


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("images", "folder"),
        ("sides", "folder"),
        ("loose", "folder"),  # which says what it lacks
        ("list.csv", "manifest"),
        ("records", "tfrecord"),
        ("records/train-00000-of-00001", "tfrecord"),
        ("records/*", "tfrecord"),
        ("tfx", "tfrecord"),
        ("tars", "webdataset"),
        ("tars/x.tar", "webdataset"),
        ("tars by split", "webdataset"),
        ("*/*/x.tgz", "webdataset"),
        ("tar?/x.tar", "webdataset"),
        ("tars [1]", "webdataset"),
        ("tars [1]/x*.tar", "webdataset"),
        ("tars [1]/x?.tar", "webdataset"),
        ("odd", "folder"),
        ("odd[1]/what?.csv", "manifest"),
        ("split folders", "folder"),  # which refuses it
    ],
)
def test_what_is_found_decides(root, path, expected):
    source = open_source(str(root / path))
    assert source.format == expected
    assert expected in FORMATS


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("mixed", r"webdataset \(1 such as 'x.tar'\), folder \(1 sub-folders\)"),
        ("both", r"tfrecord \(1 such as 'x.tfrecord'\), webdataset"),
        ("both/x.t*", "tfrecord"),
        ("what.bin", "none of them"),
        ("no*thing", "none of them"),
        ("nothing", "nothing there"),
        ("tars [2]/x.tar", "nothing there"),
        ("tars [12]/x.t*", "none of them"),
    ],
)
def test_what_is_not_plain_is_refused_in_one_line(root, path, message):
    with pytest.raises(InputError, match=message) as caught:
        open_source(str(root / path))
    assert "\n" not in str(caught.value)
    assert path in str(caught.value)


def test_the_config_may_decide(root):
    assert len(list(open_source(str(root / "both"), data_format="tfrecord").items())) == 1
    assert len(list(open_source(str(root / "mixed"), data_format="webdataset").items())) == 1
    with pytest.raises(InputError, match="at least two sub-folders"):
        open_source(str(root / "mixed"), data_format="folder").survey(10)
    with pytest.raises(InputError, match=r"'test', 'train'.*labels\.csv"):
        open_source(str(root / "split folders")).survey(10)
    split_like = open_source(str(root / "split folders"), data_format="folder")
    assert split_like.survey(10).num_classes == 2
    with pytest.raises(InputError, match=r"label_column is of manifests.*is a folder"):
        open_source(str(root / "images"), label_column="label")


def test_only_star_and_question_mark_are_special_in_a_path(root):
    def uris(path):
        return [item.uri.removeprefix(f"{root}/") for item in open_source(str(path)).items()]

    assert uris(root / "tars [1]" / "x*.tar") == ["tars [1]/x*.tar#1.jpg"]
    assert uris(root / "tars*" / "x?.tar") == ["tars [1]/x*.tar#1.jpg"]
    assert uris(root / "odd") == ["odd/a[1]/1.png", "odd/b*/1.png"]
    assert uris(root / "odd[1]" / "what?.csv") == ["odd[1]/1.png", "odd[1]/2.png"]


def test_class_names_file(root, tmp_path):
    path = tmp_path / "names.txt"
    path.write_bytes("\ufeffkedi\r\nköpek\r\n".encode())
    names = read_class_names(str(path), 1)
    assert (names.names, names.label_offset) == (("kedi", "köpek"), 1)
    source = open_source(str(root / "images"), class_names_file=str(path))
    assert source.class_names.names == ("kedi", "köpek")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\nb\na\n", "line 3 .*'a'"),
        (b"a\n\nb\n", "line 2 .*''"),
        (b"a\n b\n", "line 2 .*' b'"),
        (b"a\n", "two names or more.*it has 1"),
        (b"a\nb\xff\n", "byte 3 is no UTF-8"),
        (None, "No such file"),
    ],
)
def test_wrong_class_names_files_are_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "names.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_class_names(str(path), 0)
    assert "\n" not in str(caught.value)
