"""Whether what was read can be trained on, and what a person should know of its classes."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from preprocessing import features
from preprocessing.errors import InputError, UnusableCorpusError
from preprocessing.ingest.report import Report
from preprocessing.sources.base import Source

SPLITS = (features.TRAIN_SPLIT, features.EVAL_SPLIT)
_SHOWN = 3


def check_usable(report: Report, source: Source, eval_fraction: float) -> None:
    """Looks whether each split has an image that can be used, and whether there are two classes.

    Args:
      report: sums over all images.
      source: where they are from.
      eval_fraction: share of the evaluation split, for the message.

    Raises:
      UnusableCorpusError: there are not; the message says what is wrong with the images.
    """
    usable, seen = report.usable.total(), report.splits.total()
    empty = [split for split in SPLITS if not report.usable[split]]
    if not empty and len(report.usable_classes) > 1:
        return
    problems = report.problems
    rule = f"the {empty[0]} split must have at least one usable image" if empty else ""
    if usable and len(report.usable_classes) < 2:
        rule = "a classifier needs usable images of at least two classes"
    received = f"Received: {seen} images of {source.path}"
    if len(report.usable_classes) == 1:
        received += f", all of the class {next(iter(report.usable_classes))!r}"
    if problems.total:
        received += f", {usable} of which can be used: {problems}"
    mend = []
    if problems.total:
        mend.append(source.advice(problems.names))
    if empty and usable > problems.total:
        mend.append("add images, or change data.eval_fraction or data.seed")
        received += f", with data.eval_fraction={eval_fraction:g}"
    if not rule or not usable:
        rule = "there must be images that can be used"
    message = "; ".join([f"{rule}. {received}", *filter(None, mend)])
    images = {"seen": seen, "used": usable, "quarantined": problems.total}
    raise UnusableCorpusError(message, {**images, "reasons": problems.by_reason})


def check_labels(report: Report) -> None:
    """Looks whether each number is one class, and each class has one number.

    Args:
      report: sums over all images.

    Raises:
      InputError: a number has two names, or a name two numbers; names both, and an image of each.
    """
    by_number: dict[int, list[str]] = defaultdict(list)
    by_class: dict[str, list[int]] = defaultdict(list)
    for number, class_text in sorted(report.labels):
        by_number[number].append(class_text)
        by_class[class_text].append(number)
    conflicts = [
        f"the label {number} is {' and '.join(_with_image(report, number, t) for t in texts[:2])}"
        for number, texts in by_number.items()
        if len(texts) > 1
    ] + [
        f"{class_text!r} has the labels "
        f"{' and '.join(_number_with_image(report, n, class_text) for n in numbers[:2])}"
        for class_text, numbers in by_class.items()
        if len(numbers) > 1
    ]
    if conflicts:
        more = f"; and {len(conflicts) - _SHOWN} more" if len(conflicts) > _SHOWN else ""
        raise InputError(
            "a label must have one name, and a name one label, or they are different classes. "
            f"Received: {'; '.join(conflicts[:_SHOWN])}{more}. Name the classes by their numbers "
            "in data.class_names_file, or correct the labels"
        )


def similar_names(class_names: Iterable[str]) -> list[str]:
    """One line for each group of class names that look alike: case, Unicode form, spaces."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in sorted(class_names):
        groups[_look(name)].append(name)
    return [
        f"classes that differ only in case, spaces or Unicode form: "
        f"{', '.join(map(ascii, names))}; are they meant to be one?"
        for names in groups.values()
        if len(names) > 1
    ]


def _look(name: str) -> str:
    folded = unicodedata.normalize("NFKC", name).casefold()
    visible = "".join(char for char in folded if unicodedata.category(char) != "Cf")
    return " ".join(unicodedata.normalize("NFKC", visible).split())


def _with_image(report: Report, number: int, class_text: str) -> str:
    return f"{class_text!r} ({report.labels[number, class_text]})"


def _number_with_image(report: Report, number: int, class_text: str) -> str:
    return f"{number} ({report.labels[number, class_text]})"
