"""The paired test of two runs: their models on the images that both evaluated.

Where one model was the baseline of the other, it is the gate's own test, over all images of that
evaluation. Elsewhere the answers for single images, which each evaluation leaves, are matched by
the images' digests, and the same test is made of them.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lineage.compare import answers as answers_lib
from lineage.compare.answers import AnswerChanges
from lineage.record.run import Run

_CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True)
class PairedTest:
    """Two models on the same images.

    Attributes:
      images: how many.
      estimate: change of top-1, -1 to 1.
      low: lower end of its interval.
      high: upper end.
      p_value: of McNemar's exact test that both are equally good.
      gained: images that only the second gets right.
      lost: images that only the first gets right.
    """

    images: int
    estimate: float
    low: float
    high: float
    p_value: float
    gained: int
    lost: int


@dataclasses.dataclass(frozen=True)
class Pairs:
    """What can be said of two models on the same images.

    Attributes:
      test: None where there is none.
      why_none: why there is none.
      answers: image by image, None where that is not known.
    """

    test: PairedTest | None
    why_none: str = ""
    answers: AnswerChanges | None = None


def pair(before: Run, after: Run) -> Pairs:
    """Compares the models of two runs image by image."""
    if before.model and after.model and before.model.digest == after.model.digest != "":
        return Pairs(None, "it is the same model")
    for one, other, sign in ((before, after, 1), (after, before, -1)):
        change = _gates_change(one, other)
        if change:
            images = other.evaluation.verdict["metrics"]["example_count"]
            answers = None
            if _file(other) is not None:
                answers = answers_lib.of_baseline(str(_file(other)), candidate_first=sign < 0)
            return Pairs(_oriented(change, images, sign), answers=answers)
    for run in (before, after):
        if _file(run) is None:
            return Pairs(None, _why_no_file(run))
    found = answers_lib.of_two_files(str(_file(before)), str(_file(after)))
    if not found.images:
        said = "the images that both evaluated have other labels"
        return Pairs(None, said if found.relabelled else "they share no evaluation image")
    return Pairs(_test(found, after), answers=found)


def _gates_change(one: Run, other: Run) -> Mapping[str, Any] | None:
    """What the gate measured of the second run's model against the first one's, if it did."""
    if one.model is None or not one.model.digest or other.evaluation is None:
        return None
    if other.baseline is None or other.baseline.digest != one.model.digest:
        return None
    return other.evaluation.verdict.get("change", {}).get("top_1")


def _test(found: AnswerChanges, after: Run) -> PairedTest:
    # SciPy takes a second to import, and most answers do without.
    from components.evaluator import paired

    confidence = after.evaluation.verdict.get("confidence", _CONFIDENCE)
    change = paired.change(found.gained, found.lost, found.images, confidence)
    return PairedTest(images=found.images, **dataclasses.asdict(change))


def _file(run: Run) -> Path | None:
    path = Path(run.evaluation.predictions) if run.evaluation is not None else None
    return path if path is not None and run.evaluation.predictions and path.is_file() else None


def _why_no_file(run: Run) -> str:
    if run.evaluation is None:
        return f"run {run.run.id} has no evaluation"
    if not run.evaluation.predictions:
        return f"run {run.run.id} was evaluated by a version that kept no answers for single images"
    return f"the answers for single images are not here: {run.evaluation.predictions}"


def _oriented(change: Mapping[str, Any], images: int, sign: int) -> PairedTest:
    bounds = sorted((sign * change["low"], sign * change["high"]))
    gained, lost = (change["gained"], change["lost"])[::sign]
    return PairedTest(
        images, sign * change["estimate"], bounds[0], bounds[1], change["p_value"], gained, lost
    )
