"""The table of runs."""

import json
from collections.abc import Iterable, Sequence

import pydantic

from lineage.record.run import RunLine
from lineage.views import words

_HEAD = ("RUN", "WHEN", "STATE", "DURATION", "IMAGES", "TOP-1", "VERDICT", "PUSHED")
_NUMBERS = (3, 4)
_LINES = pydantic.TypeAdapter(list[RunLine])


def text(lines: Iterable[RunLine]) -> str:
    """A row a run."""
    return words.table(_HEAD, map(_row, lines), _NUMBERS)


def grouped_text(lines: Sequence[RunLine]) -> str:
    """The runs of each dataset below a line that says which one that is."""
    parts = []
    for digest, members in groups(lines).items():
        images = max((line.images or 0 for line in members), default=0)
        of = f"dataset {words.short(digest)}, {words.counted(images, 'image')}"
        parts.append(f"{of if digest else 'no dataset'}\n{text(members)}")
    return "\n\n".join(parts)


def groups(lines: Iterable[RunLine]) -> dict[str, list[RunLine]]:
    """The runs by the digest of their dataset, that of the newest run first."""
    found: dict[str, list[RunLine]] = {}
    for line in lines:
        found.setdefault(line.dataset, []).append(line)
    return found


def as_json(lines: Iterable[RunLine]) -> str:
    """A list with one object per run."""
    # json writes indented text in Python, ten times slower: there may be 10,000 runs.
    return _LINES.dump_json(list(lines), indent=2).decode("utf-8")


def grouped_json(lines: Sequence[RunLine]) -> str:
    """A list with one object per dataset: its digest and its runs."""
    found = [
        {"dataset": digest, "runs": [line.model_dump(mode="json") for line in members]}
        for digest, members in groups(lines).items()
    ]
    return json.dumps(found, indent=2, ensure_ascii=False)


def _row(line: RunLine) -> tuple[str, ...]:
    return (
        line.id,
        words.when(line.started),
        words.state(line.state),
        words.duration(line.secs),
        words.NONE if line.images is None else f"{line.images:,}",
        words.share(line.top_1, (line.top_1_low, line.top_1_high)),
        words.verdict(line),
        words.pushed(line.pushes),
    )
