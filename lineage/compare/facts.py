"""What is compared of a run, as flat values by name."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from lineage.record.flat import flat
from lineage.record.parts import Dataset
from lineage.record.run import Run

_METRICS = ("top_1", "top_5", "loss", "expected_calibration_error", "example_count")
# Of the corpus: they differ without saying how; the images themselves are compared.
_VAGUE = ("artifact_id", "digest")

Values = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Facts:
    """The comparable values of a run.

    Attributes:
      settings: of the config, by key.
      commit: the git commit as it is told; None where the code is not known.
      files: digests of the own source files, by path.
      versions: of packages.
      machine: facts of the machine.
      source: what is said of the corpus.
      classes: images of a class and split, as in `cat (train)`.
      metrics: of the evaluation.
      recalls: recall, 0 to 1, and number of images by class.
      slices: top-1 and number of images by slice.
    """

    settings: Values
    commit: str | None
    files: Values
    versions: Values
    machine: Values
    source: Values
    classes: Values
    metrics: Values
    recalls: Mapping[str, tuple[float, int]]
    slices: Mapping[str, tuple[float, int]]


def of(run: Run) -> Facts:
    """The facts of a run."""
    return Facts(
        settings=flat(run.settings),
        commit=_commit(run),
        files=run.code.files if run.code is not None else {},
        versions=run.versions,
        machine=_of_part(run.machine),
        source=_of_part(run.source, _VAGUE),
        classes=_class_counts(run.dataset),
        metrics=_metrics(run),
        recalls=_recalls(run),
        slices=_slices(run),
    )


def _of_part(part: Any, left_out: tuple[str, ...] = ()) -> dict[str, Any]:
    values = part.model_dump(mode="json") if part is not None else {}
    return {name: value for name, value in flat(values).items() if name not in left_out}


def _commit(run: Run) -> str | None:
    if run.code is None:
        return None
    return f"{run.code.commit}{', dirty' if run.code.dirty else ''}"


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
