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
from preprocessing.problems import DAMAGED_RECORD, NO_CLASS, NO_SINGLE_IMAGE, UNREADABLE
from preprocessing.sources.class_names import ClassNames
from preprocessing.sources.containers import split_in_name
from preprocessing.sources.listing import SKIPPED
from preprocessing.sources.parquet import ParquetSource
from preprocessing.sources.remarks import Remarks
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
    assert [content.data for _, content in found] == PNGS  # also of no class
    assert [content.class_text for _, content in found] == ["cat", "dog", "dog", "", "", ""]
    assert [content.label for _, content in found] == [1, 2, None, 3, 1, None]
    assert [content.problem for _, content in found] == [
        None, None, None, (NO_CLASS, "label 3 is outside of 1 to 2"),
        (NO_CLASS, "label 1 is 'cat' by the class names, 'dog' by its text"),
        (NO_CLASS, "no image/class/label or label in a record with "
         "image/class/text, image/column/camera, image/encoded"),
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
    assert [content.problem for _, content in found] == [
        None,
        (DAMAGED_RECORD, f"its checksum is wrong, at byte {middle.offset}"),
        None,
    ]


def test_records_that_are_no_images(tmp_path):
    records = [b"\xff\xff no example", example(image__class__text="cat"), b""]
    records += [example(image__encoded=7, image__class__text="cat")]
    found = contents(TFRecordSource(str(write_tfrecord(tmp_path / "x.tfrecord", records))))
    assert found[0][1].problem.reason == DAMAGED_RECORD
    assert "no tf.train.Example" in found[0][1].problem.detail
    assert [content.problem for _, content in found[1:]] == [
        (NO_SINGLE_IMAGE, f"no image/encoded or image in a record with {keys}")
        for keys in ("image/class/text", "no keys", "image/class/text, image/encoded")
    ]
    assert all(content.data == b"" for _, content in found)


def test_records_of_tensorflow_datasets_are_read_as_they_are(tmp_path):
    path = write_tfrecord(
        tmp_path / "flowers-train.tfrecord-00000-of-00001",
        [
            example(image=PNGS[0], label=0, image__filename="a.png"),
            example(image=PNGS[1], label="rose"),
            example(image_raw=PNGS[2], label=1),
            example(image=PNGS[3], label=2.0),
        ],
    )
    found = contents(TFRecordSource(str(path)))
    assert [content.data for _, content in found] == PNGS[:4]
    assert [content.class_text for _, content in found] == ["0", "rose", "1", "2"]
    assert {content.problem for _, content in found} == {None}


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
    assert {content.problem for _, content in found} == {None}
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
            ("70.jpg", PNGS[0]), ("70.json", b'{"name": "cat", "caption": "x"}'),
            ("8.jpg", PNGS[0]), ("8.cls", b"two\nlines"),
            ("9.cls", b"7"),
        ]:  # fmt: skip
            add(name, data)
        add("9.jpg", kind=tarfile.SYMTYPE)
    found = {item.uri.rpartition("#")[2]: c for item, c in contents(WebDatasetSource(str(path)))}
    problems = {name: content.problem for name, content in found.items()}
    assert problems.pop("4.jpg").detail.startswith("Expecting property name")
    assert problems == {
        "1.jpg": (NO_CLASS, "no label beside it"),
        "2.cls": (NO_SINGLE_IMAGE, "a label without an image beside it"),
        "3.jpg": (NO_SINGLE_IMAGE, "one of 2 images of the sample '3'"),
        "3.png": (NO_SINGLE_IMAGE, "one of 2 images of the sample '3'"),
        "5.jpg": (NO_CLASS, "its .json is no object"),
        "6.jpg": (NO_CLASS, "its 6.cls is no UTF-8 text"),
        "7.jpg": (NO_CLASS, "its label is a list"),
        "70.jpg": (NO_CLASS, "no label or cls or class in its .json, which has name, caption"),
        "8.jpg": (
            NO_CLASS,
            "class 'two\\nlines' is no printable text without spaces at its ends",
        ),
        "9.jpg": (UNREADABLE, "not a regular file"),
    }
    # All that can be read is read, so that the quarantine has its bytes and its digest.
    assert {name: content.data for name, content in found.items()} == {
        **dict.fromkeys(problems, PNGS[0]), "4.jpg": PNGS[0],
        "3.png": PNGS[1], "2.cls": b"", "9.jpg": b"",
    }  # fmt: skip


def pairs_of(name, numbers, image="jpg", label="cls"):
    members = {}
    for number in numbers:
        members[f"{name.format(number)}.{label}"] = b"cat"
        members[f"{name.format(number)}.{image}"] = PNGS[number]
    return members


@pytest.mark.parametrize(
    ("members", "names"),
    [
        (pairs_of("2024.05.0{}", range(4)), [f"2024.05.0{n}.jpg" for n in range(4)]),
        (pairs_of("a/img.{}", range(2), "PNG", "TXT"), ["a/img.0.PNG", "a/img.1.PNG"]),
        (pairs_of("./{}", range(2)), ["./0.jpg", "./1.jpg"]),
        ({"1.left.jpg": PNGS[0], "1.class.cls": b"cat"}, ["1.left.jpg"]),
        ({"1.jpg": PNGS[0], "1.CLS": b"cat"}, ["1.jpg"]),
        ({"x.1.jpg": PNGS[0], "x.2.jpg": PNGS[1], "x.1.cls": b"cat", "x.2.cls": b"cat"},
         ["x.1.jpg", "x.2.jpg"]),
        ({"1.jpg": PNGS[0], "1.x.cls": b"dog", "1.cls": b"cat"}, ["1.jpg"]),
    ],
)  # fmt: skip
def test_labels_are_matched_as_images_are(tmp_path, members, names):
    found = contents(WebDatasetSource(str(write_tar(tmp_path / "x.tar", members))))
    good = [
        item.uri.rpartition("#")[2] for item, content in found
        if (content.class_text, content.problem) == ("cat", None)
    ]  # fmt: skip
    assert good[: len(names)] == names
    assert len(found) == sum(ending in name.lower() for name in members for ending in
                             (".jpg", ".png"))  # fmt: skip


def test_a_tar_with_all_images_before_all_labels_loses_none_of_them(tmp_path):
    members = {f"{n}.jpg": data for n, data in enumerate(PNGS)}
    members |= {f"{n}.cls": b"cat" for n in range(len(PNGS))}
    source = WebDatasetSource(str(write_tar(tmp_path / "x.tar", members)))
    reasons = [content.problem.reason for _, content in contents(source)]
    assert reasons == [NO_CLASS] * 6 + [NO_SINGLE_IMAGE] * 6
    assert "tar --sort=name" in source.advice([])


def test_an_archive_without_members_has_no_images(tmp_path):
    path = write_tar(tmp_path / "x.tar", {})
    assert path.read_bytes() == bytes(10_240)
    source = WebDatasetSource(str(path))
    assert list(source.items()) == []
    assert source.survey(9).num_images == 0


@pytest.mark.parametrize("source", [TFRecordSource, WebDatasetSource, ParquetSource])
def test_a_pipe_is_no_container_and_is_not_waited_for(tmp_path, source):
    os.mkfifo(tmp_path / f"x.{source.format.replace('webdataset', 'tar')}")
    with pytest.raises(InputError, match="not a regular file"):
        source(str(tmp_path)).survey(9)


def test_litter_in_a_tar_is_skipped_and_counted(tmp_path):
    members = {
        **{f"{n}.png": PNGS[n] for n in range(2)}, "0.cls": b"a", "1.cls": b"b",
        "__MACOSX/._0.png": b"x", "._0.png": b"x", ".hidden/2.png": b"x", "x/Thumbs.db": b"x",
    }  # fmt: skip
    ordered = dict(sorted(members.items()))
    remarks = Remarks()
    source = WebDatasetSource(str(write_tar(tmp_path / "x.tar", ordered)))
    assert len(list(source.items(remarks))) == 2
    assert remarks.number_of(SKIPPED) == 4
    assert any("__MACOSX/._0.png" in line for line in remarks.lines())


@pytest.mark.parametrize(
    ("names", "lines"),
    [
        (["x-00000-of-00003", "x-00002-of-00003"], ["x has 2 of 3; missing: 1"]),
        (["x-00000-of-00001"], []),
        (["train-00000-of-00002", "train-00001-of-00002", "val-00000-of-00002"],
         ["val has 1 of 2; missing: 1"]),
        (["x-0-of-2.tfrecord", "x-1-of-2.tfrecord", "x.tfrecord"], []),
        (["x-00000-of-00009"], ["x has 1 of 9; missing: 1, 2, 3, ..."]),
        (["x-1-of-2.tfrecord", "x-2-of-2.tfrecord"],
         ["x has 1 of 2; missing: 0", "x says 2 shards and has number 2; numbers begin at 0"]),
        (["x-0-of-1.tfrecord", "x-0-of-2.tfrecord", "x-1-of-2.tfrecord"],
         ["several sets of shards of one name are read"]),
        (["t-00000-of-00002-3f2a.tfrecord", "t-00001-of-00002-77bc.tfrecord"], []),
        (["x-0-of-99999999999.tfrecord"], ["x has 1 of 99999999999; missing: 1, 2, 3, ..."]),
    ],
)  # fmt: skip
def test_incomplete_sets_of_shards_are_noticed(tmp_path, names, lines):
    for name in names:
        write_tfrecord(tmp_path / name, [record(PNGS[0], "cat")])
    for notes in (TFRecordSource(str(tmp_path)).survey(10).notes,
                  TFRecordSource(f"{tmp_path}/*").survey(10).notes):  # fmt: skip
        found = [note.replace(f"{tmp_path}/", "") for note in notes]
        assert len(found) == len(lines)
        assert all(line in note for line, note in zip(lines, found, strict=True))


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
    assert not lost or any(c.problem for _, c in found)


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
    assert source.read(items[0]).problem == (UNREADABLE, "No such file or directory")
    with pytest.raises(InputError, match="must be readable"):
        list(source.items())
    with pytest.raises(InputError, match=r"data\.path must be a readable file or folder"):
        WebDatasetSource(str(path)).fingerprint()
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="files of the format 'webdataset'"):
        WebDatasetSource(str(tmp_path / "folder")).fingerprint()
    with pytest.raises(InputError, match="with none"):
        WebDatasetSource(f"{tmp_path}/*.tar").fingerprint()
