"""docs/config.md says what the config classes say."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from preprocessing.field_text import FieldText, field_texts
from preprocessing.settings import Float, Mark, Settings

ROOT = Path(__file__).parents[2]


class Kind(Mark):
    LATE = "late"


class Group(Settings):
    """A group.

    With more to say.
    """

    share: Float = Field(0.5, gt=0, lt=1)
    """A share.  Of
    something."""


class Section(Group):
    """A section."""

    choice: Literal["a", "b"] = "a"
    """One of two."""
    count: int | None = Field(None, ge=1, le=8)
    """A count."""
    names: list[str] = Field(default_factory=lambda: ["x"])
    """Names."""
    code: str = Field(pattern="^#[0-9]$")
    """A code."""
    follows: Float = Field(default_factory=lambda values: values["share"])
    """Follows from the share."""
    marked: Annotated[int, Kind.LATE] = Field(1, ge=0)
    """Has a mark."""


def test_fields_are_told_in_words_by_the_class_that_declares_them():
    (first, group), (second, own) = field_texts(Section)
    assert (first, second) == ("A group.", "A section.")
    assert group == [
        FieldText("share", "number", "0.5", "above 0, below 1", "A share. Of something.")
    ]
    assert own == [
        FieldText("choice", "a, b", "a", "", "One of two."),
        FieldText("count", "whole number or null", "null", "at least 1, at most 8", "A count."),
        FieldText("names", "list of text", "[x]", "", "Names."),
        FieldText("code", "text", "required", "like ^#[0-9]$", "A code."),
        FieldText("follows", "number", "see meaning", "", "Follows from the share."),
        FieldText("marked", "whole number", "1", "at least 0", "Has a mark.", "late"),
    ]


def test_a_stale_document_is_seen(tmp_path):
    tool = tmp_path / "tools" / "config_docs.py"
    tool.parent.mkdir()
    tool.write_text((ROOT / "tools" / "config_docs.py").read_text())
    (tmp_path / "docs").mkdir()

    def run(*arguments: str) -> int:
        command = [sys.executable, "-W", "ignore", str(tool), *arguments]
        return subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, timeout=100).returncode

    assert run("--check") == 1
    assert run() == 0
    assert run("--check") == 0
    document = tmp_path / "docs" / "config.md"
    assert document.read_text() == (ROOT / "docs" / "config.md").read_text()
    document.write_text(document.read_text().replace("seed", "sead", 1))
    assert run("--check") == 1
