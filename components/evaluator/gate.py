"""The gate: measures against rules. It reads and writes nothing."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.evaluator import measures as measures_lib
from components.evaluator import tally
from components.evaluator.measures import Measures
from components.evaluator.metric_names import TOP_1, TOP_5, UNANSWERED
from components.evaluator.paired import Change
from components.evaluator.rules import LOWER_BOUND, Rules
from components.evaluator.verdict import DIGITS, TITLES, Rule, Verdict, interval, slice_name

# Shares of whole numbers are compared; a bound that is met exactly counts as met.
TOLERANCE = 1e-9


def judge(
    slices: Sequence[Measures],
    classes: Sequence[Mapping[str, Any]],
    rules: Rules,
    no_baseline: str = "",
) -> Verdict:
    """Decides.

    Each rule compares one number with its bound. With `decide_on: estimate` it is what was
    measured; with `lower_bound` it is the lower end of its interval, so that a model passes only
    if the images are enough to say that it is good. Intervals of many slices are not corrected
    for their number. A rule about change does not apply where there is no baseline; a rule about
    slices looks at those with `min_slice_examples` images. A candidate that leaves an image
    without an answer is refused in any case.

    Args:
      slices: what was counted, all images first.
      classes: recall and precision, as `measures.classes` gives them.
      rules: the rules.
      no_baseline: why there is no baseline, where there is none.

    Returns:
      The verdict: blessed exactly if every rule that applies held.
    """
    whole, parts = slices[0], slices[1:]
    large = [m for m in parts if m.candidate[tally.EXAMPLES] >= rules.min_slice_examples]
    judged = [*_of_all(whole, rules), *_of_slices(large, rules, no_baseline)]
    entries = [_entry(part, rules) for part in parts]
    entries.sort(key=lambda entry: (entry[TOP_1], slice_name(entry["slice"])))
    baseline = whole.baseline
    return Verdict(
        blessed=all(rule.passed for rule in judged),
        metrics=measures_lib.figures(whole.candidate, rules.confidence),
        baseline=None if baseline is None else measures_lib.figures(baseline, rules.confidence),
        no_baseline=no_baseline,
        change={
            metric: dataclasses.asdict(found)
            for metric in (TOP_1, TOP_5)
            if (found := measures_lib.change(whole, metric, rules.confidence)) is not None
        },
        rules=judged,
        slices=entries,
        classes=[dict(entry) for entry in classes],
        calibration=tally.reliability(whole.candidate),
        confidence=rules.confidence,
        decide_on=rules.decide_on,
        min_slice_examples=rules.min_slice_examples,
    )


def _entry(part: Measures, rules: Rules) -> dict[str, Any]:
    entry = {"slice": dict(part.slice), **measures_lib.figures(part.candidate, rules.confidence)}
    found = measures_lib.change(part, TOP_1, rules.confidence)
    if found is not None:
        entry["baseline_top_1"] = entry[TOP_1] - found.estimate
        entry["change"] = dataclasses.asdict(found)
    return entry


def _of_all(whole: Measures, rules: Rules) -> Iterator[Rule]:
    """The rules about all images."""
    examples = int(whole.candidate[tally.EXAMPLES])
    unanswered = examples - int(whole.candidate[tally.ANSWERED])
    if unanswered:
        # Such weights give no result; that the other images may be right does not make it one.
        text = f"the probabilities of {unanswered} of {examples} images are not finite numbers"
        yield Rule(UNANSWERED, False, text)
    if rules.min_examples > 1:
        passed = examples >= rules.min_examples
        yield Rule(
            "example_count", passed, f"{examples} evaluation images, minimum {rules.min_examples}"
        )
    for metric, minimum in ((TOP_1, rules.min_top_1), (TOP_5, rules.min_top_5)):
        if minimum is not None:
            passed, text = _against_minimum(whole, metric, minimum, rules)
            yield Rule(metric, passed, f"{TITLES[metric]} {text}")
    if rules.max_top_1_drop is not None and whole.pairs is not None:
        passed, text = _against_baseline(whole, rules.max_top_1_drop, rules)
        yield Rule(TOP_1, passed, f"{TITLES[TOP_1]} {text}")


def _of_slices(large: Sequence[Measures], rules: Rules, no_baseline: str) -> Iterator[Rule]:
    """The rules about the worst of the slices that have enough images."""
    title = f"{TITLES[TOP_1]} of the worst slice"
    too_small = f"no slice has {rules.min_slice_examples} images: decides nothing"
    if rules.min_worst_slice_top_1 is not None:
        if large:
            worst = min(large, key=lambda part: _decisive(part, rules))
            passed, text = _against_minimum(worst, TOP_1, rules.min_worst_slice_top_1, rules)
            yield Rule(TOP_1, passed, f"{title}, {_describe(worst)}: {text}")
        else:
            yield Rule(TOP_1, True, f"{title}: {too_small}")
    if rules.max_slice_top_1_drop is not None and not no_baseline:
        title = f"{TITLES[TOP_1]} of the slice that lost most"
        if large:
            worst = min(large, key=lambda part: _decisive_change(part, rules)[0])
            passed, text = _against_baseline(worst, rules.max_slice_top_1_drop, rules)
            yield Rule(TOP_1, passed, f"{title}, {_describe(worst)}: {text}")
        else:
            yield Rule(TOP_1, True, f"{title}: {too_small}")


def _against_minimum(part: Measures, metric: str, minimum: float, rules: Rules) -> tuple[bool, str]:
    passed = _decisive(part, rules, metric) >= minimum - TOLERANCE
    return passed, f"{_measured(part, metric, rules)}, minimum {minimum:.{DIGITS}f}"


def _against_baseline(part: Measures, max_drop: float, rules: Rules) -> tuple[bool, str]:
    decisive, change = _decisive_change(part, rules)
    before = measures_lib.figures(part.baseline, rules.confidence)[TOP_1]
    text = (
        f"{_measured(part, TOP_1, rules)}, baseline {before:.{DIGITS}f}, "
        f"change {change.estimate:+.{DIGITS}f} {interval((change.low, change.high), signed=True)}, "
        f"allowed {0.0 - max_drop:+.{DIGITS}f}"
    )
    return decisive >= -max_drop - TOLERANCE, text


def _decisive(part: Measures, rules: Rules, metric: str = TOP_1) -> float:
    """The number that a minimum is compared with."""
    found = measures_lib.figures(part.candidate, rules.confidence)
    return found[f"{metric}_interval"][0] if rules.decide_on == LOWER_BOUND else found[metric]


def _decisive_change(part: Measures, rules: Rules) -> tuple[float, Change]:
    """The number that an allowed drop is compared with, and the whole change."""
    change = measures_lib.change(part, TOP_1, rules.confidence)
    if change is None:
        raise ValueError(f"slice {part.slice} was counted without the baseline")
    return (change.low if rules.decide_on == LOWER_BOUND else change.estimate), change


def _measured(part: Measures, metric: str, rules: Rules) -> str:
    found = measures_lib.figures(part.candidate, rules.confidence)
    return f"{found[metric]:.{DIGITS}f} {interval(found[f'{metric}_interval'])}"


def _describe(part: Measures) -> str:
    return f"{slice_name(part.slice)} ({int(part.candidate[tally.EXAMPLES])} images)"
