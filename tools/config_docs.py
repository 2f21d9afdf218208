"""Writes docs/config.md from the config classes; with --check, says whether it is up to date."""

import argparse
import sys
from collections.abc import Container
from pathlib import Path
from typing import get_args

from pipeline.config import NOT_IN_A_RUN, PipelineConfig
from preprocessing.field_text import FieldText, field_texts
from preprocessing.settings import Settings

FILE = Path(__file__).resolve().parents[1] / "docs" / "config.md"
# Defaults in words.
_NO_VALUES = ("required", "see meaning", "see there")
_HEAD = """\
# The config, key by key

Made by `make docs` from the config classes (`pipeline/config.py`); do not edit it.

A config is one YAML file with the sections below. `--set trainer.max_epochs=3` overrides one
value. Relative paths are resolved against the current directory. An unknown key, a wrong type or
an impossible value is refused before anything starts.

The keys of `trainer` are the flags of `effnet train` as well; in a pipeline's config, those that
are marked with \\* must not be set, since the pipeline sets them. What a change of one of them
changes:

- *weights* (where nothing else stands): with another value it is another training;
- *position*: also the weights, but a training under way takes the change on;
- *output*: what is measured of the weights and exported, not the weights;
- *job*: none of these, so that a finished training is not run again, and one that was cut off goes
  on.
"""


def text() -> str:
    """The whole document."""
    parts = [_HEAD]
    for name, section in PipelineConfig.model_fields.items():
        cls = section.annotation
        required = " (required)" if section.is_required() else ""
        parts.append(f"\n## `{name}`{required}\n\n{_first_line(cls)}\n")
        groups = field_texts(cls)
        not_settable = NOT_IN_A_RUN if name == "trainer" else ()
        with_marks = any(field.mark for _, fields in groups for field in fields)
        for title, fields in groups:
            heading = f"\n### {title.rstrip('.')}\n" if len(groups) > 1 else ""
            parts.append(f"{heading}\n{_table(fields, not_settable, with_marks)}")
        for inner in _sections_in(cls):
            parts.append(f"\n### {inner.__name__}\n\n{_first_line(inner)}\n")
            parts += [f"\n{_table(fields, (), False)}" for _, fields in field_texts(inner)]
    return "".join(parts)


def _sections_in(cls: type[Settings]) -> list[type[Settings]]:
    """The classes of the sections in a section, at any depth, each once."""
    found: list[type[Settings]] = []
    waiting = [field.annotation for field in cls.model_fields.values()]
    while waiting:
        annotation = waiting.pop(0)
        if isinstance(annotation, type) and issubclass(annotation, Settings):
            if annotation not in found:
                found.append(annotation)
                waiting += [field.annotation for field in annotation.model_fields.values()]
        else:
            waiting += get_args(annotation)
    return found


def _first_line(cls: type) -> str:
    return (cls.__doc__ or "").splitlines()[0]


def _table(fields: list[FieldText], not_settable: Container[str], with_marks: bool) -> str:
    titles = ["key", "type", "default", "bounds", *(["changes"] if with_marks else []), "meaning"]
    rows = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    for field in fields:
        cells = [
            f"`{field.name}`" + (" \\*" if field.name in not_settable else ""),
            field.type,
            field.default if field.default in _NO_VALUES else f"`{field.default}`",
            field.bounds,
            *([field.mark] if with_marks else []),
            field.meaning,
        ]
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def main() -> int:
    """Writes or checks the file; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where it is stale")
    if not parser.parse_args().check:
        FILE.write_text(text(), encoding="utf-8")
        return 0
    if FILE.is_file() and FILE.read_text(encoding="utf-8") == text():
        return 0
    print("docs/config.md does not say what the config classes say: make docs", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
