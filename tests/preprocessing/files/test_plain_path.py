"""Paths for libraries that take every path for a pattern."""

import glob
import re
from pathlib import Path

import pytest

from preprocessing.files.plain_path import plain_path

NAMES = ["a[1]b", "[", "]", "x*", "?", "{a,b}", "back\\slash", "[a-z] *? {x}", "[[]"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("relative", [False, True])
def test_a_folder_of_any_name_has_a_plain_path(tmp_path, monkeypatch, name, relative):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / name
    folder.mkdir()
    (folder / "file").write_text("there")
    with plain_path(name if relative else str(folder)) as path:
        assert not re.search(r"[*?\[\]{}\\]", path)
        assert [Path(found).read_text() for found in glob.glob(f"{path}/*")] == ["there"]
        (Path(path) / "new").write_text("")
    assert (folder / "new").exists()
    assert not Path(path).exists()
    assert sorted(file.name for file in folder.iterdir()) == ["file", "new"]


@pytest.mark.parametrize("path", ["/plain/path", "relative", "gs://bucket/a[1]*"])
def test_what_is_plain_or_remote_stays(path):
    with plain_path(path) as same:
        assert same == path
