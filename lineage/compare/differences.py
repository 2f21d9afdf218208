"""Compares two records: settings, code, versions, machine, data, metrics, classes."""

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

from lineage.compare import pairing
from lineage.compare.answers import AnswerChanges
from lineage.compare.images import ImageChanges, image_changes
from lineage.compare.pairing import PairedTest
from lineage.record.parts import Dataset
from lineage.record.run import Run

_METRICS = ("top_1", "top_5", "loss", "expected_calibration_error", "example_count")


@dataclasses.dataclass(frozen=True)
class Change:
    """A value that differs; None where one side does not have it."""

    name: str
    before: Any
    after: Any


@dataclasses.dataclass(frozen=True)
class ClassChange:
    """The recall of a class, 0 to 1, in both evaluations, of so many images."""

    name: str
    before: float
    after: float
    images_before: int
    images_after: int

    @property
    def change(self) -> float:
        """Second minus first."""
        return self.after - self.before


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What differs between two runs; all that is empty is the same.

    Attributes:
      before: the first run.
      after: the second.
      settings: values of the config, by key.
      code: files that differ; `commit` as well.
      versions: of packages.
      machine: facts of the machine.
      source: what is said of the corpus.
      classes: images of a class and split, as in `cat (train)`.
      images: that came, went or moved, where both manifests can be read.
      metrics: of the evaluation.
      paired: the test on the same images, None where there is none.
      no_pairs: why there is none.
      answers: what the two models say of the same images, None where that is not known.
      recalls: classes whose recall changed, the worst loss first.
      slices: top-1 of slices that changed, the worst loss first.
    """

    before: Run
    after: Run
    settings: list[Change]
    code: list[Change]
    versions: list[Change]
    machine: list[Change]
    source: list[Change]
    classes: list[Change]
    images: ImageChanges | None
    metrics: list[Change]
    paired: PairedTest | None
    no_pairs: str
    answers: AnswerChanges | None
    recalls: list[ClassChange]
    slices: list[ClassChange]


def compare(before: Run, after: Run) -> Comparison:
    """Compares two runs."""
    pairs = pairing.pair(before, after)
    return Comparison(
        before=before,
        after=after,
        settings=_changes(flat(before.settings), flat(after.settings)),
        code=_code(before, after),
        versions=_changes(before.versions, after.versions),
        machine=_changes(_facts(before.machine), _facts(after.machine)),
        source=_changes(_facts(before.source, _VAGUE), _facts(after.source, _VAGUE)),
        classes=_changes(_class_counts(before.dataset), _class_counts(after.dataset)),
        images=image_changes(before.dataset, after.dataset),
        metrics=_changes(_metrics(before), _metrics(after)),
        paired=pairs.test,
        no_pairs=pairs.why_none,
        answers=pairs.answers,
        recalls=_worst_first(_recalls(before), _recalls(after)),
        slices=_worst_first(_slices(before), _slices(after)),
    )


# They differ without saying how; the images themselves are compared.
_VAGUE = ("artifact_id", "digest")


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by dotted keys."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    names = itertools.chain(before, (name for name in after if name not in before))
    return [
        Change(name, before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    ]


def _facts(part: Any, left_out: tuple[str, ...] = ()) -> dict[str, Any]:
    values = part.model_dump(mode="json") if part is not None else {}
    return {name: value for name, value in flat(values).items() if name not in left_out}


def _code(before: Run, after: Run) -> list[Change]:
    if before.code is None or after.code is None:
        return []
    commits = [
        {"commit": f"{code.commit}{', dirty' if code.dirty else ''}"}
        for code in (before.code, after.code)
    ]
    files = _changes(before.code.files, after.code.files)
    return [*_changes(*commits), *files]


def _class_counts(dataset: Dataset | None) -> dict[str, int]:
    return {
        f"{entry.name} ({split})": count
        for entry in (dataset.classes if dataset is not None else ())
        for split, count in entry.images.items()
    }


def _metrics(run: Run) -> dict[str, Any]:
    found = run.evaluation.verdict.get("metrics", {}) if run.evaluation is not None else {}
    return {name: found[name] for name in _METRICS if name in found}


def _recalls(run: Run) -> dict[str, tuple[float, int]]:
    found = run.evaluation.verdict.get("classes", []) if run.evaluation is not None else []
    return {e["class"]: (e["recall"], e["images"]) for e in found if e["images"]}


def _slices(run: Run) -> dict[str, tuple[float, int]]:
    found = run.evaluation.verdict.get("slices", []) if run.evaluation is not None else []
    return {
        ", ".join(f"{key.rpartition('/')[2]}={value}" for key, value in e["slice"].items()): (
            e["top_1"],
            e["example_count"],
        )
        for e in found
        # Those of classes are listed as classes.
        if set(e["slice"]) != {"image/class/text"}
    }


def _worst_first(
    before: Mapping[str, tuple[float, int]], after: Mapping[str, tuple[float, int]]
) -> list[ClassChange]:
    found = [
        ClassChange(name, before[name][0], after[name][0], before[name][1], after[name][1])
        for name in before
        if name in after and before[name][0] != after[name][0]
    ]
    return sorted(found, key=lambda change: (change.change, change.name))
