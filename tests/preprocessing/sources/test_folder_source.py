"""Image folders: which files are listed, their classes and splits, and what is refused."""

import os

import pytest
from nasty_corpus import CLASS_NAMES, write_tree

from preprocessing.errors import InputError
from preprocessing.images import image_ops
from preprocessing.problems import NO_CLASS, UNREADABLE
from preprocessing.sources.class_names import ClassNames
from preprocessing.sources.folder import BESIDE, FolderSource
from preprocessing.sources.listing import SKIPPED
from preprocessing.sources.remarks import Remarks


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
    assert (content.problem, content.columns) == (None, {})
    link = source.read(found["çok güzel/bad link.jpg"])
    assert (link.data, link.problem) == (b"", (UNREADABLE, "No such file or directory"))
    os.mkfifo(small_corpus / "a" / "pipe")  # reading it would wait for ever
    pipe = FolderSource(str(small_corpus)).read(items(small_corpus)["a/pipe"])
    assert (pipe.data, pipe.problem) == (b"", (UNREADABLE, "not a regular file"))


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
    assert found["a/1.png"].problem is None
    assert found["b/1.png"].problem == (NO_CLASS, "class 'b' is none of the 2 class names")
    content = FolderSource(str(small_corpus)).read(found["b/1.png"])
    assert content.problem == found["b/1.png"].problem
    assert content.data == (small_corpus / "b" / "1.png").read_bytes()


def deepen(root):
    """Two pictures of `a` lie in folders of it, one of them deep, beside empty and hidden ones."""
    write_tree(root / "a" / "z" / "y", {"deep.png": b"1"})
    write_tree(root / "a" / "k", {"one.png": b"2", ".hidden": b"3"})
    (root / "a" / "empty" / "more").mkdir(parents=True)


@pytest.mark.parametrize(
    ("nested", "classes"),
    [
        ("class_is_top", {"a/z/y/deep.png": "a", "a/k/one.png": "a", "a/1.png": "a"}),
        ("class_is_path", {"a/z/y/deep.png": "a/z/y", "a/k/one.png": "a/k", "a/1.png": "a"}),
    ],
)
def test_folders_within_class_folders(small_corpus, nested, classes):
    deepen(small_corpus)
    found = items(small_corpus, nested=nested)
    assert len(found) == 62
    assert list(found) == sorted(found, key=lambda name: name.split("/"))
    assert {name: found[name].class_text for name in classes} == classes
    survey = FolderSource(str(small_corpus), nested=nested).survey(1000)
    assert (survey.num_images, survey.num_classes) == (62, len({*classes.values(), "b"}))
    assert survey.notes == (
        "images lie up to 2 levels of folders below their class folder, and data.nested is "
        f"{nested}",
        "1 hidden files, or those of a file manager, were skipped (a/k/.hidden)",
    )
    assert FolderSource(str(small_corpus), nested=nested).survey(10).num_classes == len(
        {*classes.values(), "b"}
    )


def test_folders_within_class_folders_below_splits(small_corpus):
    split_folders(small_corpus, "train", "val")
    write_tree(small_corpus / "val" / "b" / "deeper", {"1.png": b"1"})
    item = items(small_corpus)["val/b/deeper/1.png"]
    assert (item.class_text, item.split) == ("b", "eval")


def test_splits_within_class_folders_are_told(small_corpus):
    write_tree(small_corpus / "a" / "test", {"1.png": b"1"})
    notes = FolderSource(str(small_corpus)).survey(100).notes
    assert "folders called 'test' lie within class folders, and are no splits there" in notes


def test_links_that_go_round_are_images_that_cannot_be_read(small_corpus):
    (small_corpus / "a" / "self.jpeg").symlink_to("self.jpeg")
    (small_corpus / "a" / "up").symlink_to("..")
    (small_corpus / "a" / "same").symlink_to(".")
    write_tree(small_corpus / "b" / "inner", {"1.png": b"1"})
    (small_corpus / "b" / "inner" / "above").symlink_to("..")
    (small_corpus / "b" / "other").symlink_to(small_corpus / "a")  # no circle: copies
    found = items(small_corpus)
    source = FolderSource(str(small_corpus))
    wrong = {name for name, item in found.items() if source.read(item).problem is not None}
    assert wrong == {
        "a/self.jpeg", "a/up", "a/same", "b/inner/above",
        "b/other/self.jpeg", "b/other/up", "b/other/same",
    }  # fmt: skip
    assert len(found) == 60 + 1 + 30 + len(wrong)
    above = source.read(found["a/up"])
    assert above.problem == (UNREADABLE, "a link to a folder that it lies in")
    survey = source.survey(1000)
    assert survey.num_images == len(found)
    assert survey.problems.by_reason == {UNREADABLE: len(wrong)}
    assert len(source.fingerprint()) == 64


def test_litter_is_skipped_and_counted(small_corpus):
    litter = {
        "a/.DS_Store": b"1", "a/._1.png": b"1", "b/Thumbs.db": b"1", "b/DESKTOP.INI": b"1",
        "__MACOSX/a/._1.png": b"1", ".cache/x": b"1", "b/inner/__MACOSX/x.png": b"1",
    }  # fmt: skip
    write_tree(small_corpus, {**litter, "b/inner/1.png": b"1", "README.md": b"beside"})
    remarks = Remarks()
    found = list(FolderSource(str(small_corpus)).items(remarks))
    assert len(found) == 61
    assert remarks.number_of(SKIPPED) == len(litter)
    assert remarks.number_of(BESIDE) == 1
    assert (
        "1 files beside the class folders have no class and are not read (README.md)"
        in remarks.lines()
    )


@pytest.mark.parametrize("name", ["train", "TEST", "val", "Split-train", "test_set", "train1"])
def test_names_of_splits_among_the_classes_are_refused_unless_allowed(small_corpus, name):
    (small_corpus / "a").rename(small_corpus / name)
    (small_corpus / "labels.csv").write_text("path,label\n")
    source = FolderSource(str(small_corpus), split_names_allowed=False)
    for look in (source.fingerprint, lambda: source.survey(1000)):
        with pytest.raises(InputError) as caught:
            look()
        for part in (repr(name), "data.format to folder", "labels.csv names the images"):
            assert part in str(caught.value)
    assert {item.class_text for item in items(small_corpus).values()} == {name, "b"}


@pytest.mark.parametrize("name", ["train station", "latest", "evaluate", "valley", "developer"])
def test_other_names_are_classes(small_corpus, name):
    (small_corpus / "a").rename(small_corpus / name)
    source = FolderSource(str(small_corpus), split_names_allowed=False)
    assert {item.class_text for item in source.items()} == {name, "b"}


@pytest.mark.parametrize(
    "name",
    [
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian, with a non-joiner
        "\u0915\u094d\u200d\u0937",  # Hindi, with a joiner
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",  # a family, in one emoji
        "\U0001fae0",  # younger than this Python's Unicode
        "big\u3000cat",
        "a\xa0b",
    ],
)
def test_class_names_of_any_script(small_corpus, name):
    (small_corpus / "a").rename(small_corpus / name)
    assert {item.class_text for item in items(small_corpus).values()} == {name, "b"}


def nested(root):
    (root / "a" / "deeper").mkdir()


def wrapped(root):
    (root / "all").mkdir()
    for name in "ab":
        (root / name).rename(root / "all" / name)


def too_deep(root):
    (root / "a" / "/".join("x" * 120)).mkdir(parents=True)


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
        (nested, r"deeper.*data\.nested"),
        (wrapped, r"'all'; if its 2 folders are the classes, make it data\.path"),
        (too_deep, "100 deep"),
        (line_break, "printable"),
        (no_utf8, "UTF-8"),
        (one_class, r"at least two.*'a'"),
        (one_class_in_splits, r"at least two.*'a'"),
        (gone, "existing folder"),
    ],
)
def test_unusable_corpora_are_refused_in_one_line(small_corpus, change, message):
    change(small_corpus)
    source = FolderSource(
        str(small_corpus), nested="refuse" if change is nested else "class_is_top"
    )
    for look in (source.fingerprint, lambda: list(source.items()), lambda: source.survey(1000)):
        with pytest.raises(InputError, match=message) as caught:
            look()
        assert "\n" not in str(caught.value)
        assert "small" in str(caught.value)


def test_a_file_is_no_corpus(small_corpus):
    with pytest.raises(InputError, match="Not a directory"):
        FolderSource(str(small_corpus / "a" / "1.png")).fingerprint()
