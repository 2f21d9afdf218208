"""Compares two records: settings, code, versions, machine, data, metrics, classes."""

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

from lineage.compare import facts, pairing
from lineage.compare.answers import AnswerChanges
from lineage.compare.facts import Facts
from lineage.compare.images import ImageChanges, image_changes
from lineage.compare.pairing import PairedTest
from lineage.record.run import Run


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
    old, new = facts.of(before), facts.of(after)
    return Comparison(
        before=before,
        after=after,
        settings=_changes(old.settings, new.settings),
        code=_code(old, new),
        versions=_changes(old.versions, new.versions),
        machine=_changes(old.machine, new.machine),
        source=_changes(old.source, new.source),
        classes=_changes(old.classes, new.classes),
        images=image_changes(before.dataset, after.dataset),
        metrics=_changes(old.metrics, new.metrics),
        paired=pairs.test,
        no_pairs=pairs.why_none,
        answers=pairs.answers,
        recalls=_worst_first(old.recalls, new.recalls),
        slices=_worst_first(old.slices, new.slices),
    )


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    names = itertools.chain(before, (name for name in after if name not in before))
    return [
        Change(name, before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    ]


def _code(before: Facts, after: Facts) -> list[Change]:
    if before.commit is None or after.commit is None:
        return []
    commits = _changes({"commit": before.commit}, {"commit": after.commit})
    return [*commits, *_changes(before.files, after.files)]


def _worst_first(
    before: Mapping[str, tuple[float, int]], after: Mapping[str, tuple[float, int]]
) -> list[ClassChange]:
    found = [
        ClassChange(name, before[name][0], after[name][0], before[name][1], after[name][1])
        for name in before
        if name in after and before[name][0] != after[name][0]
    ]
    return sorted(found, key=lambda change: (change.change, change.name))
