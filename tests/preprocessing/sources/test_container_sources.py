"""TFRecords and tar shards: what they hold comes out, and damage is reported, not ignored."""

import gzip
import io
import os
import tarfile

import pytest
from container_files import example, pngs, write_tar, write_tfrecord
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.errors import InputError
from preprocessing.sources.class_names import ClassNames
from preprocessing.sources.containers import split_in_name
from preprocessing.sources.tfrecord import TFRecordSource
from preprocessing.sources.webdataset import WebDatasetSource

PNGS = pngs(6)


def contents(source):
    return [(item, source.read(item)) for item in source.items()]


def record(data, text="", label=None, **more):
    values = {"image__encoded": data, "image__class__text": text, **more}
    return example(**values, **({} if label is None else {"image__class__label": label}))


def test_records_with_text_with_label_and_with_both(tmp_path):
    path = write_tfrecord(
        tmp_path / "train-00000-of-00001",
        [
            record(PNGS[0], "cat", 1),
            record(PNGS[1], "", 2),
            record(PNGS[2], "dog"),
            record(PNGS[3], "", 3),
            record(PNGS[4], "dog", 1),
            record(PNGS[5], image__column__camera="left"),
        ],
    )
    found = contents(TFRecordSource(str(path), ClassNames(("cat", "dog"), 1)))
    assert [content.data for _, content in found] == [*PNGS[:3], b"", b"", b""]
    assert [content.class_text for _, content in found] == ["cat", "dog", "dog", "", "", ""]
    assert [content.error for _, content in found] == [
        "", "", "", "label 3 is outside of 1 to 2",
        "label 1 is 'cat' by the class names, 'dog' by its text", "no label",
    ]  # fmt: skip
    assert found[5][1].columns == {"camera": "left"}
    assert [item.uri for item, _ in found][:2] == [f"{path}#0", f"{path}#1"]
    plain = contents(TFRecordSource(str(path), ClassNames(label_offset=1)))
    assert [content.class_text for _, content in plain] == ["cat", "1", "dog", "2", "dog", ""]


def test_splits_come_from_names_of_folders_and_files(tmp_path):
    def splits(path):
        source = TFRecordSource(str(path))
        return [(item.uri.removeprefix(f"{path}/"), item.split) for item in source.items()]

    one = [record(PNGS[0], "cat")]
    flat, folders = tmp_path / "flat", tmp_path / "folders"
    for name in ("train-00000-of-00002", "validation-00000-of-00001", "data.tfrecord", "x.txt"):
        write_tfrecord(flat / name, one)
    assert splits(flat) == [
        ("data.tfrecord#0", None),
        ("train-00000-of-00002#0", "train"),
        ("validation-00000-of-00001#0", "eval"),
    ]
    for name in ("Split-train", "Split-eval", "test", "other"):
        write_tfrecord(folders / name / "part-00000-of-00001", one)
    assert [split for _, split in splits(folders)] == ["eval", "train", "test"]
    pattern = f"{folders}/*/part-*"
    found = [(item.uri, item.split) for item in TFRecordSource(pattern).items()]
    assert [split for _, split in found] == ["eval", "train", None, "test"]
    assert split_in_name("my-train-test-000.tar") is None


def test_a_record_with_a_wrong_sum_is_one_image(tmp_path):
    path = write_tfrecord(tmp_path / "x.tfrecord", [record(p, "cat") for p in PNGS[:3]])
    source = TFRecordSource(str(path))
    data = bytearray(path.read_bytes())
    middle = list(source.items())[1]
    data[middle.offset + middle.length // 2] ^= 1
    path.write_bytes(data)
    found = contents(source)
    assert [bool(content.error) for _, content in found] == [False, True, False]
    assert f"checksum is wrong, at byte {middle.offset}" in found[1][1].error


def test_records_that_are_no_images(tmp_path):
    records = [b"\xff\xff no example", example(image__class__text="cat"), b""]
    records += [example(image__encoded=7, image__class__text="cat")]
    found = contents(TFRecordSource(str(write_tfrecord(tmp_path / "x.tfrecord", records))))
    assert "no tf.train.Example" in found[0][1].error
    assert found[1][1].error == found[3][1].error == "no image/encoded in the record"
    assert all(content.data == b"" for _, content in found)


def test_samples_of_a_tar(tmp_path):
    path = write_tar(
        tmp_path / "train-000.tar",
        {
            "0001.jpg": PNGS[0],
            "0001.cls": b"1\n",
            "0001.json": b'{"label": 0, "camera": "left", "f": 1.5, "box": [1]}',
            "a/ 0002.x.PNG": PNGS[1],
            "a/ 0002.txt": "köpek\n".encode(),
            "0003.jpg": b"",
            "0003.json": b'{"class": "cat"}',
            "README": b"Without an ending.",
            "._0004.jpg": b"x",
            f"{'long/' * 60}0004.jpg": PNGS[2],
            f"{'long/' * 60}0004.cls": b"2",
        },
    )
    source = WebDatasetSource(str(path))
    found = contents(source)
    assert [content.class_text for _, content in found] == ["1", "köpek", "cat", "2"]
    assert [content.data for _, content in found] == [PNGS[0], PNGS[1], b"", PNGS[2]]
    assert {content.error for _, content in found} == {""}
    assert found[0][1].columns == {"camera": "left", "f": "1.5"}
    assert found[1][0].uri == f"{path}#a/ 0002.x.PNG"
    named = contents(WebDatasetSource(str(path), ClassNames(("cat", "dog", "köpek"))))
    assert [content.class_text for _, content in named] == ["dog", "köpek", "cat", "köpek"]


def test_samples_that_make_no_sense_are_images_that_cannot_be_used(tmp_path):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:

        def add(name, data=b"", kind=tarfile.REGTYPE):
            info = tarfile.TarInfo(name)
            info.size, info.type = len(data), kind
            archive.addfile(info, io.BytesIO(data))

        for name, data in [
            ("1.jpg", PNGS[0]),
            ("2.cls", b"7"),
            ("3.jpg", PNGS[0]), ("3.png", PNGS[1]), ("3.cls", b"7"),
            ("4.jpg", PNGS[0]), ("4.json", b"{"),
            ("5.jpg", PNGS[0]), ("5.json", b"[7]"),
            ("6.jpg", PNGS[0]), ("6.cls", b"\xff"),
            ("7.jpg", PNGS[0]), ("7.json", b'{"label": [7]}'),
            ("8.jpg", PNGS[0]), ("8.cls", b"two\nlines"),
            ("9.cls", b"7"),
        ]:  # fmt: skip
            add(name, data)
        add("9.jpg", kind=tarfile.SYMTYPE)
    errors = {
        item.uri.rpartition("#")[2]: c.error for item, c in contents(WebDatasetSource(str(path)))
    }
    assert errors.pop("4.jpg").startswith("Expecting property name")
    assert errors == {
        "1.jpg": "no label",
        "2": "a sample with 0 images",
        "3.jpg": "a sample with 2 images",
        "5.jpg": "its .json is no object",
        "6.jpg": "its 6.cls is no UTF-8 text",
        "7.jpg": "its label is a list",
        "8.jpg": "class 'two\\nlines' is no printable text without spaces at its ends",
        "9.jpg": "not a regular file",
    }


def good_tfrecord(path):
    return TFRecordSource(str(write_tfrecord(path, [record(p, "cat") for p in PNGS])))


def good_tar(path):
    members = {}
    for number, data in enumerate(PNGS):
        members |= {f"{number}.png": data, f"{number}.cls": b"cat"}
    return WebDatasetSource(str(write_tar(path, members)))


def cut(data):
    return data[: len(data) // 2]


def without_end(data):
    return data.rstrip(b"\0")[:-3]


def with_another_behind(data):
    return data + data


@pytest.mark.parametrize(
    ("make", "damage"),
    [
        (good_tfrecord, cut),
        (good_tfrecord, lambda data: data[:-3]),
        (good_tfrecord, lambda data: data[:8] + b"\xff" + data[9:]),
        (good_tfrecord, lambda data: b"This is no TFRecord file."),
        (good_tar, cut),
        (good_tar, without_end),
        (good_tar, with_another_behind),
        (good_tar, lambda data: data[: data.rindex(b"ustar") - 257]),  # ends between two members
        (good_tar, lambda data: b""),
        (good_tar, lambda data: b"This is no tar archive." * 100),
    ],
)
def test_a_damaged_container_is_refused_in_one_line(tmp_path, make, damage):
    path = tmp_path / "x"
    source = make(path)
    assert len(list(source.items())) == 6
    path.write_bytes(damage(path.read_bytes()))
    for look in (lambda: list(source.items()), lambda: source.survey(1000)):
        with pytest.raises(InputError, match="must be whole") as caught:
            look()
        message = str(caught.value)
        assert "\n" not in message
        assert f"{path}: " in message
        assert f"of {path.stat().st_size}: " in message
        assert "bytes cannot be used" in message


@settings(max_examples=100, deadline=None)
@given(header=st.integers(0, 11), byte=st.integers(0, 511), bits=st.integers(1, 255))
def test_no_damage_of_a_header_loses_an_image_without_a_word(tmp_path_factory, header, byte, bits):
    path = tmp_path_factory.mktemp("wild") / "x.tar"
    source = good_tar(path)
    whole = contents(source)
    data = bytearray(path.read_bytes())
    with tarfile.open(path) as archive:
        data[archive.getmembers()[header].offset + byte] ^= bits
    path.write_bytes(data)
    try:
        found = contents(source)
    except InputError:
        return
    # A header's own sum finds what changes its meaning; padding and the like may change.
    lost = {c.data for _, c in whole} - {c.data for _, c in found}
    assert not lost or any(c.error for _, c in found)


@pytest.mark.parametrize("make", [good_tfrecord, good_tar])
def test_compressed_containers_are_unpacked_first(tmp_path, make, make_pipeline):
    plain, packed = tmp_path / "x", tmp_path / "y.gz"
    source = make(plain)
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    compressed = type(source)(str(packed))
    assert compressed.survey(1000).num_images >= 1
    fetched = compressed.fetched(tmp_path / "copies", make_pipeline())
    assert contents(source)[0][1].data == PNGS[0]
    assert [c for _, c in contents(fetched)] == [c for _, c in contents(source)]
    assert [item.uri for item in fetched.items()][:1] == [
        next(iter(source.items())).uri.replace(str(plain), str(packed))
    ]
    assert source.fetched(tmp_path / "no copies", make_pipeline()) is source


@pytest.mark.parametrize("damage", [cut, lambda data: data[:30] + b"\0" * 9 + data[39:]])
def test_damaged_compressed_containers_are_refused(tmp_path, damage, make_pipeline):
    path = tmp_path / "x.tar.gz"
    good_tar(path)
    path.write_bytes(damage(gzip.compress(path.read_bytes())))
    with pytest.raises(InputError, match=r"must be whole.*x\.tar\.gz: .*after \d+ bytes") as caught:
        WebDatasetSource(str(path)).fetched(tmp_path / "copies", make_pipeline())
    assert "\n" not in str(caught.value)


def test_fingerprint_and_vanished_containers(tmp_path):
    path = tmp_path / "x.tar"
    source = good_tar(path)
    before, items = source.fingerprint(), list(source.items())
    os.utime(path, ns=(5, 5))
    assert WebDatasetSource(str(path)).fingerprint() != before
    path.unlink()
    assert source.read(items[0]).error == "No such file or directory"
    with pytest.raises(InputError, match="must be readable"):
        list(source.items())
    with pytest.raises(InputError, match=r"data\.path must be a readable file or folder"):
        WebDatasetSource(str(path)).fingerprint()
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="files of the format 'webdataset'"):
        WebDatasetSource(str(tmp_path / "folder")).fingerprint()
    with pytest.raises(InputError, match="with none"):
        WebDatasetSource(f"{tmp_path}/*.tar").fingerprint()
