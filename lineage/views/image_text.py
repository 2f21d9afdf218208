"""What is known of an image, and what depends on a dataset or model, as text and as JSON."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from lineage.images.answer import ImageAnswer
from lineage.images.occurrences import USED, Occurrence, Search
from lineage.images.uses import EVALUATED, STARTED_FROM, TRAINED, Use
from lineage.views import words

# As many runs of a model are named.
_MAX_RUNS = 3


def image_text(answer: ImageAnswer) -> str:
    """Which datasets hold an image, and which models were trained or evaluated on it."""
    asked = answer.asked
    lines = [f"image      {asked.name or asked.sha256}"]
    if asked.sha256 and asked.name:
        lines.append(f"           sha256 {asked.sha256}")
    if not answer.found.occurrences:
        lines.append("datasets   none holds it")
    for number, occurrence in enumerate(answer.found.occurrences):
        lines += [f"{line}" for line in _occurrence(answer, number, occurrence)]
    if answer.found.same_name:
        lines.append("           under its name there were other bytes:")
        lines += [f"             {_where(occurrence)}" for occurrence in answer.found.same_name]
    lines += _not_searched(answer.found)
    if answer.uses:
        lines += ["models", *(f"  {line}" for line in uses_text(answer.uses).splitlines())]
    else:
        lines.append("models     none was trained or evaluated on it")
    return "\n".join(lines)


def retrain_text(answer: ImageAnswer) -> str:
    """What a removed image obliges to: which models to retrain, which to evaluate again."""
    again = [use for use in answer.uses if use.kind in (TRAINED, STARTED_FROM)]
    evaluated = [use for use in answer.uses if use.kind == EVALUATED]
    lines = ["to retrain: none"]
    if again:
        lines = [f"to retrain: {words.counted(len(again), 'model')}", uses_text(again)]
    if evaluated:
        lines += [
            f"to evaluate again: {words.counted(len(evaluated), 'model')}, whose figures count it",
            uses_text(evaluated),
        ]
    return "\n".join([*lines, *_not_searched(answer.found)])


def uses_text(uses: Sequence[Use]) -> str:
    """A table of models, and in which way each has to do with it."""
    head = ("MODEL", "HOW", "TRAINED IN RUN", "TOP-1", "PUSHED", "RUNS")
    return words.table(head, [_use(use) for use in uses], (3,))


def image_json(answer: ImageAnswer) -> dict[str, Any]:
    """The answer as an object."""
    occurrences = []
    for number, occurrence in enumerate(answer.found.occurrences):
        runs = list(answer.runs.get(occurrence.dataset, ()))
        detail = answer.details.get(number, "")
        occurrences.append({**dataclasses.asdict(occurrence), "detail": detail, "runs": runs})
    return {
        "asked": answer.asked.text,
        "sha256": answer.asked.sha256 or None,
        "occurrences": occurrences,
        "same_name": [dataclasses.asdict(occurrence) for occurrence in answer.found.same_name],
        "models": uses_json(answer.uses),
        "not_searched": dict(answer.found.not_searched),
    }


def retrain_json(answer: ImageAnswer) -> dict[str, Any]:
    """What a removed image obliges to, as an object."""
    return {
        "asked": answer.asked.text,
        "retrain": uses_json([use for use in answer.uses if use.kind != EVALUATED]),
        "evaluate_again": uses_json([use for use in answer.uses if use.kind == EVALUATED]),
        "not_searched": dict(answer.found.not_searched),
    }


def uses_json(uses: Sequence[Use]) -> list[dict[str, Any]]:
    """Models as objects."""
    return [
        {
            "model": use.model,
            "how": use.kind,
            "dataset": use.dataset,
            "runs": list(use.runs),
            "trained_in": use.trained_in,
            "top_1": use.top_1,
            "pushes": [push.model_dump(mode="json") for push in use.pushes],
        }
        for use in uses
    ]


def _occurrence(answer: ImageAnswer, number: int, occurrence: Occurrence) -> Iterator[str]:
    heading = "" if number else "datasets"
    yield f"{heading:<11}{words.short(occurrence.dataset)}: {_where(occurrence)}"
    detail = answer.details.get(number, "")
    if detail:
        yield f"{'':<13}{detail}"
    runs = answer.runs.get(occurrence.dataset, ())
    if runs:
        yield f"{'':<13}in {_runs(runs)}"


def _where(occurrence: Occurrence) -> str:
    label = f", label {occurrence.label}" if occurrence.label is not None else ""
    of_class = f", class {occurrence.class_name}{label}" if occurrence.class_name else ""
    if occurrence.status == USED:
        where = f"{occurrence.split}, {occurrence.shard} record {occurrence.position}"
    elif occurrence.reason:
        where = f"{occurrence.split}, {occurrence.status}: {occurrence.reason}"
    else:
        where = f"{occurrence.split}, {occurrence.status}"
    return f"{where}{of_class}, {occurrence.uri}"


def _runs(runs: Sequence[str]) -> str:
    more = len(runs) - _MAX_RUNS
    shown = ", ".join(runs[:_MAX_RUNS])
    return f"run{'s' if len(runs) > 1 else ''} {shown}{f' and {more} more' if more > 0 else ''}"


def _use(use: Use) -> tuple[str, ...]:
    return (
        words.short(use.model),
        use.kind,
        use.trained_in or "not known",
        words.share(use.top_1),
        words.pushed(use.pushes),
        _runs(use.runs).partition(" ")[2] if use.runs else words.NONE,
    )


def _not_searched(found: Search) -> list[str]:
    return [
        f"NOT SEARCHED: dataset {words.short(digest)}: {reason}"
        for digest, reason in found.not_searched.items()
    ]
