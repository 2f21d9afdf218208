"""Files are compared by content, and read again only where the file system hints at a change."""

import json
import os
import shutil

import pytest

from pipeline.cache import fingerprints


@pytest.fixture
def folder(tmp_path):
    """An artifact as TFX lays it out."""
    folder = tmp_path / "Node" / "output" / "7"
    (folder / "Split-train").mkdir(parents=True)
    (folder / "Split-train" / "a").write_bytes(b"a" * 3_000_000)
    (folder / "b.txt").write_text("b")
    return folder


def test_untouched_touched_and_copied_files_are_the_same(folder):
    fingerprint = fingerprints.take(folder)
    assert fingerprints.difference(folder, fingerprint) is None
    os.utime(folder / "b.txt", (1, 1))
    assert fingerprints.difference(folder, fingerprint) is None
    shutil.copytree(folder, folder.with_name("8"))
    shutil.rmtree(folder)
    folder.with_name("8").rename(folder)
    assert fingerprints.difference(folder, fingerprint) is None


def test_touched_files_are_read_once_and_noted(folder):
    fingerprint = fingerprints.take(folder)
    record = folder.parent.parent / ".system" / "fingerprints" / "output-7.json"
    before = json.loads(record.read_text())
    os.utime(folder / "b.txt", (1, 1))
    assert fingerprints.difference(folder, fingerprint) is None
    after = json.loads(record.read_text())
    assert after["b.txt"]["sha256"] == before["b.txt"]["sha256"]
    assert after["b.txt"]["state"] != before["b.txt"]["state"]
    assert after["Split-train/a"] == before["Split-train/a"]


def test_content_decides_and_not_the_place(folder):
    other = folder.with_name("8")
    shutil.copytree(folder, other)
    assert fingerprints.take(folder) == fingerprints.take(other)
    (other / "b.txt").rename(other / "c.txt")
    assert fingerprints.take(folder) != fingerprints.take(other)


@pytest.mark.parametrize("with_record", [True, False])
def test_changed_bytes_are_seen_even_where_size_and_times_are_kept(folder, with_record):
    fingerprint = fingerprints.take(folder)
    path = folder / "Split-train" / "a"
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(1_500_000)
        file.write(b"x")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    if not with_record:
        shutil.rmtree(folder.parent.parent / ".system")
    for _ in range(2):  # the look itself must not make it right
        difference = fingerprints.difference(folder, fingerprint)
        assert difference in ("1 file changed (Split-train/a)", "its files changed")
        assert with_record == ("Split-train/a" in difference)


def test_gone_and_added_files_are_named(folder):
    fingerprint = fingerprints.take(folder)
    (folder / "new").write_text("")
    assert fingerprints.difference(folder, fingerprint) == "1 file added (new)"
    (folder / "b.txt").unlink()
    assert fingerprints.difference(folder, fingerprint) == "1 file gone (b.txt)"
    shutil.rmtree(folder / "Split-train")
    assert fingerprints.difference(folder, fingerprint).startswith("2 files gone (Split-train/a,")
    shutil.rmtree(folder)
    assert fingerprints.difference(folder, fingerprint) == "its folder is gone"


def test_without_its_record_the_files_are_read(folder):
    fingerprint = fingerprints.take(folder)
    record = folder.parent.parent / ".system" / "fingerprints" / "output-7.json"
    record.write_text("{half")
    assert fingerprints.difference(folder, fingerprint) is None


def test_hidden_files_do_not_count(folder):
    fingerprint = fingerprints.take(folder)
    (folder / ".DS_Store").write_text("")
    assert fingerprints.difference(folder, fingerprint) is None
