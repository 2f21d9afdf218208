"""A comparison of two runs, as text and as JSON: only what differs."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lineage.compare import why
from lineage.compare.answers import Answer, AnswerChanges, ChangedAnswer
from lineage.compare.differences import Change, ClassChange, Comparison
from lineage.compare.images import MAX_EXAMPLES
from lineage.views import words

_MAX_CLASSES = 10
_MAX_FILES = 40


def text(found: Comparison) -> str:
    """What differs between two runs, side by side."""
    blocks = [
        ("runs", _table(runs(found))),
        ("settings", _table(found.settings)),
        ("data", [*_table(found.source), *_images(found), *_table(found.classes)]),
        ("code", list(_code(found.code))),
        ("versions", _table([*found.versions, *found.machine])),
        ("metrics", [*_table(found.metrics), *_paired(found)]),
        ("worst-changed classes", _classes(found.recalls, found.answers)),
        ("worst-changed slices", _classes(found.slices)),
        ("images from right to wrong", list(_examples(found.answers, lost=True))),
        ("images from wrong to right", list(_examples(found.answers, lost=False))),
    ]
    title = f"{found.before.run.id} -> {found.after.run.id}"
    lines = [title, why.verdict(found)]
    for name, block in blocks:
        if block:
            lines += ["", name, *(f"  {line}" for line in block)]
    return "\n".join(lines)


def why_text(found: Comparison) -> str:
    """What can explain the difference, the likeliest first."""
    told = why.causes(found)
    lines = [why.verdict(found)]
    if not told:
        lines.append("nothing that could explain a difference differs between the two")
    for kind in dict.fromkeys(cause.kind for cause in told):
        lines += ["", kind, *(f"  {cause.text}" for cause in told if cause.kind == kind)]
    return "\n".join(lines)


def as_json(found: Comparison) -> dict[str, Any]:
    """The comparison as an object."""
    values: dict[str, Any] = {
        "before": found.before.line().model_dump(mode="json"),
        "after": found.after.line().model_dump(mode="json"),
        "verdict": why.verdict(found),
    }
    for name in ("settings", "code", "versions", "machine", "source", "classes", "metrics"):
        values[name] = [dataclasses.asdict(change) for change in getattr(found, name)]
    for name in ("recalls", "slices"):
        values[name] = [
            {**dataclasses.asdict(change), "change": change.change}
            for change in getattr(found, name)
        ]
    values["paired"] = dataclasses.asdict(found.paired) if found.paired is not None else None
    values["no_pairs"] = found.no_pairs
    values["answers"] = _answers(found.answers)
    values["images"] = None
    if found.images is not None:
        by_class: dict[str, dict[str, int]] = {}
        for (way, name), count in found.images.classes.items():
            by_class.setdefault(way, {})[name] = count
        values["images"] = {
            "counts": dict(found.images.counts),
            "classes": by_class,
            "examples": found.images.examples,
        }
    return values


def _answers(found: AnswerChanges | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "images": found.images,
        "relabelled": found.relabelled,
        "gained": found.gained,
        "lost": found.lost,
        "by_class": {name: counted._asdict() for name, counted in found.by_class.items()},
        "examples_lost": [_both(changed) for changed in found.examples_lost],
        "examples_gained": [_both(changed) for changed in found.examples_gained],
    }


def _both(changed: ChangedAnswer) -> dict[str, Any]:
    return {"before": changed.before._asdict(), "after": changed.after._asdict()}


def why_json(found: Comparison) -> dict[str, Any]:
    """The causes as an object."""
    return {
        "verdict": why.verdict(found),
        "causes": [dataclasses.asdict(cause) for cause in why.causes(found)],
    }


def runs(found: Comparison) -> list[tuple[str, str, str]]:
    """What became of the two runs, where that differs: what, of the first, of the second."""
    before, after = found.before.line(), found.after.line()
    facts = [
        ("state", words.state(before.state), words.state(after.state)),
        ("verdict", words.verdict(before), words.verdict(after)),
        ("pushed", words.pushed(before.pushes), words.pushed(after.pushes)),
    ]
    return [fact for fact in facts if fact[1] != fact[2]]


def _table(changes: Iterable[Change | tuple[str, str, str]]) -> list[str]:
    rows = [
        one if isinstance(one, tuple) else (one.name, value(one.before), value(one.after))
        for one in changes
    ]
    return words.table(("", "FIRST", "SECOND"), rows).splitlines() if rows else []


def _images(found: Comparison) -> Iterator[str]:
    if found.images is None:
        yield "images: not known, as a manifest cannot be read"
        return
    for way, count in found.images.counts.items():
        yield f"{words.counted(count, 'image')}: {way}"
        yield from (f"  {uri}" for uri in found.images.examples[way])


def _code(changes: Sequence[Change]) -> Iterator[str]:
    for change in changes[:_MAX_FILES]:
        if change.name == "commit":
            yield f"commit {change.before} -> {change.after}"
        elif change.before is None:
            yield f"{change.name} (new)"
        else:
            yield f"{change.name}{' (gone)' if change.after is None else ''}"
    if len(changes) > _MAX_FILES:
        yield f"and {len(changes) - _MAX_FILES} more"


def _paired(found: Comparison) -> Iterator[str]:
    yield paired(found)
    if found.answers is not None and found.answers.relabelled:
        count = words.counted(found.answers.relabelled, "further image")
        yield f"{count} that both evaluated: under another label, and not counted"


def paired(found: Comparison) -> str:
    """The test on the same images, or why there is none, in one line."""
    test = found.paired
    if test is None:
        return f"no paired test: {found.no_pairs}"
    return (
        f"on the same {words.counted(test.images, 'image')}: top-1 changes by "
        f"{test.estimate:+.4f} [{test.low:+.4f}, {test.high:+.4f}], p = {test.p_value:.2g} "
        f"(McNemar); {test.gained} gained, {test.lost} lost"
    )


def _classes(changes: Sequence[ClassChange], answers: AnswerChanges | None = None) -> list[str]:
    """The worst changes of recall, with what was gained and lost on the same images."""
    rows, head = [], ["", "FIRST", "SECOND", "CHANGE", "IMAGES"]
    if answers is not None:
        head += ["GAINED", "LOST"]
    for change in changes[:_MAX_CLASSES]:
        row = [
            change.name,
            f"{change.before:.4f}",
            f"{change.after:.4f}",
            f"{change.change:+.4f}",
            f"{change.images_before}, {change.images_after}",
        ]
        if answers is not None:
            counted = answers.by_class.get(change.name)
            row += [str(counted.gained), str(counted.lost)] if counted else [words.NONE] * 2
        rows.append(row)
    return words.table(head, rows, (1, 2, 3, 5, 6)).splitlines() if rows else []


def _examples(answers: AnswerChanges | None, *, lost: bool) -> Iterator[str]:
    if answers is None:
        return
    named = answers.examples_lost if lost else answers.examples_gained
    for changed in named[:MAX_EXAMPLES]:
        before, after = said(changed.before), said(changed.after)
        yield f"{changed.after.uri}: {changed.after.class_name}, {before} -> {after}"
    more = (answers.lost if lost else answers.gained) - len(named[:MAX_EXAMPLES])
    if more:
        yield f"and {more:,} more"


def said(answer: Answer) -> str:
    """What a model says of an image, as in `cat 0.9312`."""
    if answer.predicted is None:
        return "no answer"
    return f"{answer.predicted} {answer.probability:.4f}"


def value(given: object) -> str:
    """A value of one side, as in `0.5000` or `adamw`; `-` where there is none."""
    if given is None:
        return words.NONE
    return f"{given:.4f}" if isinstance(given, float) and abs(given) >= 1e-4 else str(given)
