"""Listing a corpus, and telling that it changed."""

import os

import pytest
from nasty_corpus import CLASS_NAMES

from preprocessing import image_folder
from preprocessing.errors import InputError


def test_lists_every_candidate_in_order(nasty_corpus, nasty_content):
    files = image_folder.list_images(str(nasty_corpus))
    assert [file.name for file in files] == sorted([*nasty_content, "çok güzel/bad link.jpg"])
    sizes = {file.name: file.num_bytes for file in files}
    assert sizes["çok güzel/bad link.jpg"] == 0
    assert sizes["cat/plain.jpg"] == len(nasty_content["cat/plain.jpg"])
    assert image_folder.class_names(files) == CLASS_NAMES


def test_fingerprint_changes_with_the_files(small_corpus):
    def now():
        return image_folder.fingerprint(image_folder.list_images(str(small_corpus)))

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
    assert len(set(seen)) == len(seen)


def test_file_names_need_not_be_utf8(small_corpus):
    os.mkdir(os.fsencode(small_corpus) + b"/c")
    with open(os.fsencode(small_corpus) + b"/c/\xff.png", "wb"):
        pass
    files = image_folder.list_images(str(small_corpus))
    assert os.fsencode(files[-1].name) == b"c/\xff.png"
    assert len(image_folder.fingerprint(files)) == 64


def nested(root):
    (root / "a" / "deeper").mkdir()


def line_break(root):
    (root / "a").rename(root / "a\nb")


def no_utf8(root):
    os.rename(root / "a", os.fsencode(root) + b"/\xff")


def one_class(root):
    for path in (root / "b").iterdir():
        path.unlink()


def gone(root):
    root.rename(root.with_name("elsewhere"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (nested, "deeper"),
        (line_break, "printable"),
        (no_utf8, "UTF-8"),
        (one_class, r"at least two.*'a'"),
        (gone, "existing folder"),
    ],
)
def test_unusable_corpora_are_refused_in_one_line(small_corpus, change, message):
    change(small_corpus)
    with pytest.raises(InputError, match=message) as caught:
        image_folder.list_images(str(small_corpus))
    assert "\n" not in str(caught.value)
    assert "small" in str(caught.value)


def test_a_file_is_no_corpus(small_corpus):
    with pytest.raises(InputError, match="Not a directory"):
        image_folder.list_images(str(small_corpus / "a" / "1.png"))
