"""A comparison of two runs as a page: only what differs, with pictures."""

from collections.abc import Sequence
from typing import Any

from lineage.compare import why
from lineage.compare.answers import ChangedAnswer
from lineage.compare.differences import Change, Comparison
from lineage.compare.images import WENT
from lineage.views import compare_text, html, words
from pipeline.report import pictures

MAX_CLASSES = 50
MAX_ROWS = 200


def page(found: Comparison) -> str:
    """What differs between two runs, side by side."""
    answers = found.answers
    tables = {
        "Metrics": found.metrics,
        "Settings": found.settings,
        "Corpus": found.source,
        "Images of classes": found.classes,
        "Versions": found.versions,
        "Machine": found.machine,
        "Code": [_short(change) for change in found.code],
    }
    return html.render(
        "compare.html",
        {
            "found": found,
            "verdict": why.verdict(found),
            "paired": compare_text.paired(found),
            "runs": compare_text.runs(found),
            "causes": why.causes(found),
            "classes": found.recalls[:MAX_CLASSES],
            "hidden_classes": max(len(found.recalls) - MAX_CLASSES, 0),
            "counted": answers.by_class if answers is not None else None,
            "lost": _changed(found, answers.examples_lost if answers is not None else []),
            "gained": _changed(found, answers.examples_gained if answers is not None else []),
            "images": _images(found),
            "tables": {title: _rows(changes) for title, changes in tables.items() if changes},
            "hidden": {title: max(len(c) - MAX_ROWS, 0) for title, c in tables.items()},
            "words": words,
        },
    )


def _changed(found: Comparison, changed: Sequence[ChangedAnswer]) -> list[dict[str, Any]]:
    """Images that one model alone gets right, as pictures."""
    rows = [
        {
            "sha256": one.after.sha256,
            "uri": one.after.uri,
            "class": one.after.class_name,
            "before": compare_text.said(one.before),
            "after": compare_text.said(one.after),
        }
        for one in changed
    ]
    # The evaluation that has all of them may be that of either run.
    options = html.picture_options(found.after)
    shown = pictures.with_images(html.dataset_folder(found.after), rows, options)
    missing = [row for row in shown if not row["image"]]
    again = pictures.with_images(html.dataset_folder(found.before), missing, options)
    images = {row["sha256"]: row["image"] for row in [*shown, *again] if row["image"]}
    return [{**row, "image": images.get(row["sha256"], "")} for row in shown]


def _images(found: Comparison) -> list[tuple[str, int, list[dict[str, Any]]]]:
    """Images that came, went or moved: how, how many, and some of them as pictures."""
    if found.images is None:
        return []
    shown = []
    for way, count in found.images.counts.items():
        run = found.before if way == WENT else found.after
        rows = pictures.with_images(
            html.dataset_folder(run), found.images.rows[way], html.picture_options(run)
        )
        shown.append((way, count, rows))
    return shown


def _short(change: Change) -> Change:
    """A file of the code, with as much of its digests as tells them apart."""
    if change.name == "commit":
        return change
    sides = [words.short(digest) if digest else None for digest in (change.before, change.after)]
    return Change(change.name, *sides)


def _rows(changes: Sequence[Change]) -> list[tuple[str, str, str]]:
    return [
        (change.name, compare_text.value(change.before), compare_text.value(change.after))
        for change in changes[:MAX_ROWS]
    ]
