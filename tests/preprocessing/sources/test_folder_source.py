"""Image folders: which files are listed, their classes and splits, and what is refused."""

import os

import pytest
from nasty_corpus import CLASS_NAMES

from preprocessing.errors import InputError
from preprocessing.images import image_ops
from preprocessing.sources.class_names import ClassNames
from preprocessing.sources.folder import FolderSource


def items(root, **options):
    source = FolderSource(str(root), **options)
    return {item.uri.removeprefix(f"{root}/"): item for item in source.items()}


def test_lists_every_candidate_in_order(nasty_corpus, nasty_content):
    found = items(nasty_corpus)
    assert set(found) == {*nasty_content, "çok güzel/bad link.jpg"}
    assert list(found) == sorted(found, key=lambda name: name.split("/"))
    assert found["çok güzel/bad link.jpg"].num_bytes == 0
    assert found["cat/plain.jpg"].num_bytes == len(nasty_content["cat/plain.jpg"])
    assert sorted({item.class_text for item in found.values()}) == CLASS_NAMES
    assert {item.split for item in found.values()} == {None}


def test_reads_what_is_there_and_says_what_is_not(nasty_corpus, nasty_content, small_corpus):
    source, found = FolderSource(str(nasty_corpus)), items(nasty_corpus)
    content = source.read(found["cat/plain.jpg"])
    assert (content.data, content.class_text) == (nasty_content["cat/plain.jpg"], "cat")
    assert (content.error, content.columns) == ("", {})
    link = source.read(found["çok güzel/bad link.jpg"])
    assert (link.data, link.error) == (b"", "No such file or directory")
    os.mkfifo(small_corpus / "a" / "pipe")  # reading it would wait for ever
    pipe = FolderSource(str(small_corpus)).read(items(small_corpus)["a/pipe"])
    assert (pipe.data, pipe.error) == (b"", "not a regular file")


def test_survey_counts_and_stops_counting(small_corpus):
    (small_corpus / "empty").mkdir()
    source = FolderSource(str(small_corpus))
    assert (source.survey(1000).num_images, source.survey(1000).num_classes) == (60, 2)
    for name in "cdef":
        (small_corpus / name).mkdir()
        (small_corpus / name / "1.png").touch()
        (small_corpus / name / "2.png").touch()
    survey = source.survey(10)
    assert survey.num_classes == 6  # all of them, also behind the limit
    assert survey.num_images >= 10


def test_fingerprint_changes_with_the_files(small_corpus):
    def now():
        return FolderSource(str(small_corpus)).fingerprint()

    seen = [now()]
    assert now() == seen[0]
    picture = small_corpus / "a" / "3.png"
    os.utime(picture, ns=(5, 5))
    seen.append(now())
    picture.write_bytes(picture.read_bytes() + b"more")
    os.utime(picture, ns=(5, 5))
    seen.append(now())
    picture.rename(small_corpus / "b" / "another.png")
    seen.append(now())
    (small_corpus / "b" / "another.png").unlink()
    seen.append(now())
    names = ClassNames(("a", "b"))
    seen.append(FolderSource(str(small_corpus), names).fingerprint())
    assert len(set(seen)) == len(seen)


def test_file_names_need_not_be_utf8(small_corpus):
    os.mkdir(os.fsencode(small_corpus) + b"/c")
    with open(os.fsencode(small_corpus) + b"/c/\xff.png", "wb") as file:
        file.write((small_corpus / "a" / "1.png").read_bytes())
    item = items(small_corpus)["c/\udcff.png"]
    assert type(item).from_json(item.to_json()) == item
    source = FolderSource(str(small_corpus))
    assert image_ops.read_header(source.read(item).data).format == "png"
    assert len(source.fingerprint()) == 64


def split_folders(root, *names):
    """Moves the classes below a folder of each split."""
    for name in names:
        (root / name).mkdir()
    for name in ("a", "b"):
        for number, file in enumerate(sorted((root / name).iterdir())):
            target = root / names[number % len(names)] / name
            target.mkdir(exist_ok=True)
            file.rename(target / file.name)
        (root / name).rmdir()


def test_folders_of_splits(small_corpus):
    split_folders(small_corpus, "train", "Validation", "test")
    (small_corpus / "val").mkdir()  # empty, so it says nothing
    (small_corpus / "train" / "README.txt").write_text("Beside the classes.")
    found = items(small_corpus)
    assert len(found) == 60
    splits = {name.split("/")[0]: item.split for name, item in found.items()}
    assert splits == {"train": "train", "Validation": "eval", "test": "test"}
    assert {item.class_text for item in found.values()} == {"a", "b"}
    survey = FolderSource(str(small_corpus)).survey(1000)
    assert (survey.num_images, survey.num_classes) == (60, 2)


def test_classes_may_be_called_like_splits(small_corpus):
    (small_corpus / "a").rename(small_corpus / "train")
    (small_corpus / "b").rename(small_corpus / "test")
    found = items(small_corpus)
    assert {item.class_text for item in found.values()} == {"train", "test"}
    assert {item.split for item in found.values()} == {None}


def test_a_class_that_the_config_does_not_name_is_no_image_that_can_be_used(small_corpus):
    found = items(small_corpus, class_names=ClassNames(("a", "other")))
    assert found["a/1.png"].error == ""
    assert found["b/1.png"].error == "class 'b' is none of the 2 class names"
    assert FolderSource(str(small_corpus)).read(found["b/1.png"]).error == found["b/1.png"].error


def nested(root):
    (root / "a" / "deeper").mkdir()


def line_break(root):
    (root / "a").rename(root / "a\nb")


def no_utf8(root):
    os.rename(root / "a", os.fsencode(root) + b"/\xff")


def one_class(root):
    for path in (root / "b").iterdir():
        path.unlink()


def one_class_in_splits(root):
    one_class(root)
    split_folders(root, "train", "val")


def gone(root):
    root.rename(root.with_name("elsewhere"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (nested, "deeper"),
        (line_break, "printable"),
        (no_utf8, "UTF-8"),
        (one_class, r"at least two.*'a'"),
        (one_class_in_splits, r"at least two.*'a'"),
        (gone, "existing folder"),
    ],
)
def test_unusable_corpora_are_refused_in_one_line(small_corpus, change, message):
    change(small_corpus)
    source = FolderSource(str(small_corpus))
    for look in (source.fingerprint, lambda: list(source.items()), lambda: source.survey(1000)):
        with pytest.raises(InputError, match=message) as caught:
            look()
        assert "\n" not in str(caught.value)
        assert "small" in str(caught.value)


def test_a_file_is_no_corpus(small_corpus):
    with pytest.raises(InputError, match="Not a directory"):
        FolderSource(str(small_corpus / "a" / "1.png")).fingerprint()
