"""Statistics of accepted corpora in a folder, for orchestrators without ML Metadata."""

from pathlib import Path

import pytest

from components.example_validator import kept


def statistics(folder: Path, text: str) -> str:
    split = folder / text / "Split-train"
    split.mkdir(parents=True)
    (split / "FeatureStats.pb").write_text(text)
    return str(folder / text)


def read(path: str | None) -> str:
    assert path is not None
    return Path(path, "Split-train", "FeatureStats.pb").read_text()


@pytest.fixture
def folder(tmp_path) -> str:
    return str(tmp_path / "kept")


def test_nothing_is_found_where_nothing_was_kept(folder):
    assert kept.newest_other(folder, "a") is None


def test_the_newest_corpus_of_other_content_is_found(tmp_path, folder):
    kept.keep(folder, "a", statistics(tmp_path, "first"))
    assert kept.newest_other(folder, "a") is None
    assert read(kept.newest_other(folder, "b")) == "first"
    kept.keep(folder, "b", statistics(tmp_path, "second"))
    assert read(kept.newest_other(folder, "b")) == "first"
    assert read(kept.newest_other(folder, "a")) == "second"
    assert read(kept.newest_other(folder, "c")) == "second"


def test_a_corpus_that_comes_back_is_the_newest_again(tmp_path, folder):
    for content in ("a", "b", "a"):
        path = tmp_path / content
        kept.keep(folder, content, str(path) if path.exists() else statistics(tmp_path, content))
    assert read(kept.newest_other(folder, "c")) == "a"
    assert len(list(Path(folder).iterdir())) == 3


def test_the_same_corpus_again_is_kept_once(tmp_path, folder):
    path = statistics(tmp_path, "first")
    kept.keep(folder, "a", path)
    kept.keep(folder, "a", path)
    assert len(list(Path(folder).iterdir())) == 1


def test_what_a_killed_step_left_is_not_taken(tmp_path, folder):
    kept.keep(folder, "a", statistics(tmp_path, "first"))
    Path(folder, ".half").mkdir()
    assert read(kept.newest_other(folder, "b")) == "first"


def test_as_many_are_kept_as_said(tmp_path, folder):
    for i in range(kept.KEPT_CORPORA + 3):
        kept.keep(folder, str(i), statistics(tmp_path, f"corpus-{i}"))
    assert len(list(Path(folder).iterdir())) == kept.KEPT_CORPORA
    assert read(kept.newest_other(folder, "none")) == f"corpus-{kept.KEPT_CORPORA + 2}"
