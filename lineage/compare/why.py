"""What can explain that one run is worse than another, the likeliest first.

The order is that of experience: other data, then other settings, code and versions; slices say
where it is worse. What cannot change a result (where runs lie, how many workers there are, code
that only tells) is left out.
"""

import dataclasses
from collections.abc import Iterator

from lineage.compare.differences import Change, Comparison
from lineage.compare.images import CAME, MOVED, RELABELLED, WENT

DATA, SETTINGS, CODE, VERSIONS, SLICES = "data", "settings", "code", "versions", "slices"
# Sections of the config and folders of code that can change a model or its figures, in the order
# in which they are listed.
_SECTIONS = ("trainer.", "preprocessing.", "data.", "evaluation.slice")
_FOLDERS = ("trainer_module/", "preprocessing/", "components/")
_NO_CODE = ("components/pusher/", "trainer_module/job/", "components/progress")
# Where results lie, and what must not change them.
_NO_SETTINGS = ("trainer.stall_timeout_secs", "trainer.max_restarts", "trainer.log_interval_secs")
_MAX_NAMED = 5


@dataclasses.dataclass(frozen=True)
class Cause:
    """Something that differs and can explain a result.

    Attributes:
      kind: data, settings, code, versions or slices.
      text: one line.
    """

    kind: str
    text: str


def causes(found: Comparison) -> list[Cause]:
    """What can explain that the second run is otherwise than the first, the likeliest first."""
    same_model = _same_model(found)
    told = [Cause(DATA, text) for text in _data(found)]
    if not same_model:
        told += [Cause(SETTINGS, text) for text in _settings(found)]
    told += [Cause(CODE, text) for text in _code(found)]
    told += [Cause(VERSIONS, _change(change)) for change in found.versions]
    told += [Cause(VERSIONS, f"machine: {_change(change)}") for change in found.machine]
    return told + [Cause(SLICES, text) for text in _slices(found)]


def verdict(found: Comparison) -> str:
    """Whether the second run is worse, in one line."""
    before, after = found.before.line(), found.after.line()
    if before.top_1 is None or after.top_1 is None:
        missing = before if before.top_1 is None else after
        return f"run {missing.id} has no evaluation: {missing.said or missing.state}"
    change = after.top_1 - before.top_1
    direction = "worse" if change < 0 else "better" if change > 0 else "as good"
    text = f"run {after.id} is {direction}: top-1 {before.top_1:.4f} -> {after.top_1:.4f}"
    if _same_model(found):
        return f"{text}; it is the same model"
    if found.paired is not None:
        return f"{text}, {_on_the_same_images(found)}"
    bounds = (before.top_1_low, before.top_1_high, after.top_1_low, after.top_1_high)
    if None in bounds or max(bounds[0], bounds[2]) > min(bounds[1], bounds[3]):
        return text
    return f"{text}; the intervals overlap, so that it may be chance"


def _on_the_same_images(found: Comparison) -> str:
    test = found.paired
    chance = "no more than chance" if test.p_value > 0.05 else "more than chance"
    verdicts = [run.evaluation.verdict for run in (found.before, found.after)]
    sizes = [verdict["metrics"].get("example_count") for verdict in verdicts]
    if sizes == [test.images, test.images]:
        return f"{chance} on the same images (p = {test.p_value:.2g})"
    return (
        f"and {test.estimate:+.4f} on the {test.images:,} images that both evaluated: {chance} "
        f"(p = {test.p_value:.2g})"
    )


def _same_model(found: Comparison) -> bool:
    before, after = found.before.model, found.after.model
    return before is not None and after is not None and before.digest == after.digest != ""


def _data(found: Comparison) -> Iterator[str]:
    if found.images is not None:
        for way in (WENT, RELABELLED, MOVED, CAME):
            count = found.images.counts.get(way, 0)
            if count:
                by_class = {c: n for (w, c), n in found.images.classes.items() if w == way}
                most = sorted(by_class.items(), key=lambda item: (-item[1], item[0]))[:_MAX_NAMED]
                named = ", ".join(f"{name} {number:,}" for name, number in most)
                verb = way if way in (CAME, WENT) else f"are in an{way}"
                yield f"{count:,} images {verb} ({named})"
    elif found.classes:
        named = ", ".join(_change(change) for change in found.classes[:_MAX_NAMED])
        yield f"images of classes: {named}"
    elif _digests_differ(found):
        yield "the datasets differ, and a manifest cannot be read to say how"
    for change in found.source:
        if change.name in ("path", "span", "version"):
            yield f"corpus: {_change(change)}"


def _digests_differ(found: Comparison) -> bool:
    before, after = found.before.dataset, found.after.dataset
    return before is not None and after is not None and before.digest != after.digest


def _settings(found: Comparison) -> Iterator[str]:
    for section in _SECTIONS:
        for change in found.settings:
            if change.name.startswith(section) and change.name not in _NO_SETTINGS:
                yield _change(change)


def _code(found: Comparison) -> Iterator[str]:
    for folder in _FOLDERS:
        names = [
            change.name
            for change in found.code
            if change.name.startswith(folder) and not change.name.startswith(_NO_CODE)
        ]
        if names:
            more = len(names) - _MAX_NAMED
            yield f"{', '.join(names[:_MAX_NAMED])}{f' and {more} more' if more > 0 else ''}"


def _slices(found: Comparison) -> Iterator[str]:
    for title, changes in (("class", found.recalls), ("slice", found.slices)):
        for change in [one for one in changes if one.change < 0][:_MAX_NAMED]:
            yield (
                f"{title} {change.name}: {change.before:.4f} -> {change.after:.4f} "
                f"of {change.images_after} images"
                f"{_lost_and_gained(found, change.name) if title == 'class' else ''}"
            )


def _lost_and_gained(found: Comparison, class_name: str) -> str:
    counted = found.answers.by_class.get(class_name) if found.answers is not None else None
    if counted is None:
        return ""
    return f"; of {counted.images} that both evaluated {counted.lost} lost, {counted.gained} gained"


def _change(change: Change) -> str:
    return f"{change.name} {_said(change.before)} -> {_said(change.after)}"


def _said(value: object) -> str:
    return "none" if value is None else "empty" if value == "" else str(value)
