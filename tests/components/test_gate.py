import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from components.evaluator import gate, intervals, tally
from components.evaluator.measures import Measures
from components.evaluator.rules import Rules
from components.evaluator.verdict import NO_SUCH_BASELINE, Override, Verdict


def _tally(examples: int, right: int) -> np.ndarray:
    counts = np.zeros(tally.SIZE, np.int64)
    counts[[tally.EXAMPLES, tally.ANSWERED]] = examples
    counts[[tally.RIGHT_1, tally.RIGHT_5]] = right, min(right + 1, examples)
    return counts


def _measures(examples, right, before=None, lost=0, **slice_):
    """A slice; `lost` images only the baseline gets right, which gets `before` right."""
    if before is None:
        return Measures(slice_, _tally(examples, right))
    gained = right - before + lost
    pairs = np.array([gained, lost, 0, 0])
    return Measures(slice_, _tally(examples, right), _tally(examples, before), pairs)


def _judge(*slices: Measures, **rules) -> Verdict:
    no_baseline = "" if slices[0].pairs is not None else NO_SUCH_BASELINE
    return gate.judge(slices, [], Rules(**rules), no_baseline)


@st.composite
def _counts(draw, with_baseline: bool = False):
    """Examples, right, and with a baseline also right before and lost."""
    examples = draw(st.integers(1, 2000))
    right = draw(st.integers(0, examples))
    if not with_baseline:
        return examples, right
    lost = draw(st.integers(0, examples - right))
    gained = draw(st.integers(0, right))
    return examples, right, right - gained + lost, lost


@given(_counts(), st.floats(0, 1))
def test_minimum_is_met_exactly_where_the_share_reaches_it(counts, minimum):
    examples, right = counts
    assume(abs(right / examples - minimum) > 1e-6)
    verdict = _judge(_measures(examples, right), min_top_1=minimum)
    assert verdict.blessed == (right / examples >= minimum)


@given(_counts())
def test_share_itself_as_the_minimum_is_met(counts):
    examples, right = counts
    assert _judge(_measures(examples, right), min_top_1=right / examples).blessed


@settings(deadline=None)
@given(_counts(), st.floats(0, 1))
def test_lower_bound_is_never_easier_than_the_estimate(counts, minimum):
    part = _measures(*counts)
    strict = _judge(part, min_top_1=minimum, decide_on="lower_bound")
    assert not strict.blessed or _judge(part, min_top_1=minimum).blessed
    low, _ = intervals.proportion(counts[1], counts[0], 0.95)
    assert strict.blessed == (low >= minimum - gate.TOLERANCE)


@settings(deadline=None)
@given(_counts(with_baseline=True), st.floats(0, 1))
def test_change_is_that_of_the_two_shares(counts, drop):
    examples, right, before, _ = counts
    change = (right - before) / examples
    assume(abs(change + drop) > 1e-6)
    part = _measures(*counts)
    verdict = _judge(part, max_top_1_drop=drop)
    assert verdict.blessed == (change >= -drop)
    assert verdict.change["top_1"]["estimate"] == pytest.approx(change)
    strict = _judge(part, max_top_1_drop=drop, decide_on="lower_bound")
    assert not strict.blessed or verdict.blessed


@settings(deadline=None)
@given(st.lists(_counts(), min_size=1, max_size=6), st.floats(0, 1), st.integers(1, 100))
def test_worst_slice_is_the_worst_of_those_that_are_large_enough(parts, minimum, smallest):
    slices = [_measures(*counts, part=str(i)) for i, counts in enumerate(parts)]
    whole = _measures(*(sum(column) for column in zip(*parts, strict=True)))
    verdict = _judge(whole, *slices, min_worst_slice_top_1=minimum, min_slice_examples=smallest)
    shares = [right / examples for examples, right in parts if examples >= smallest]
    assume(all(abs(share - minimum) > 1e-6 for share in shares))
    assert verdict.blessed == all(share >= minimum for share in shares)
    [rule] = verdict.rules
    assert ("decides nothing" in rule.text) == (not shares)


@given(_counts(), st.integers(2, 3000))
def test_too_few_images_bless_nothing(counts, smallest):
    verdict = _judge(_measures(*counts), min_top_1=0.0, min_examples=smallest)
    assert verdict.blessed == (counts[0] >= smallest)


@given(_counts(), st.integers(1, 2000))
def test_images_without_an_answer_are_refused_whatever_else_holds(counts, unanswered):
    part = _measures(*counts)
    part.candidate[tally.ANSWERED] -= min(unanswered, counts[0])
    verdict = _judge(part, max_top_1_drop=1.0)
    assert not verdict.blessed
    assert "not finite numbers" in verdict.reason()


def test_every_rule_has_a_line_and_one_failure_is_enough():
    whole, part = _measures(100, 80, 85, 8), _measures(40, 20, 30, 12, camera="phone")
    rules = {
        "min_top_1": 0.7,
        "min_top_5": 0.8,
        "max_top_1_drop": 0.1,
        "min_worst_slice_top_1": 0.4,
        "max_slice_top_1_drop": 0.3,
        "min_examples": 50,
    }
    verdict = _judge(whole, part, **rules)
    assert verdict.blessed
    assert len(verdict.rules) == len(rules)
    for name, value in (
        ("min_top_1", 0.81),
        ("min_top_5", 0.82),
        ("max_top_1_drop", 0.04),
        ("min_worst_slice_top_1", 0.51),
        ("max_slice_top_1_drop", 0.24),
        ("min_examples", 101),
    ):
        stricter = _judge(whole, part, **{**rules, name: value})
        assert [rule.passed for rule in stricter.rules].count(False) == 1, name
        assert not stricter.blessed
        assert stricter.reason().startswith("not blessed: ")


def test_without_a_baseline_only_the_other_rules_apply():
    verdict = _judge(_measures(100, 80), max_top_1_drop=0.0, max_slice_top_1_drop=0.0)
    assert verdict.blessed
    assert verdict.rules == []
    assert verdict.reason() == "blessed: no other model is served, and no other rule applies"
    assert not _judge(_measures(100, 80), max_top_1_drop=0.0, min_top_1=0.9).blessed


def test_worse_slices_are_named_the_surest_first_and_small_ones_not():
    slices = [
        _measures(40, 30, 31, 1, camera="a"),
        _measures(200, 120, 160, 45, camera="b"),
        _measures(5, 0, 5, 5, camera="c"),
        _measures(40, 35, 30, 0, camera="d"),
    ]
    verdict = _judge(_measures(285, 185, 226, 51), *slices, min_top_1=0.0)
    assert [line.partition(" ")[0] for line in verdict.worse_slices()] == ["camera=b", "camera=a"]


def test_verdict_survives_json():
    verdict = _judge(
        _measures(100, 80, 85, 8), _measures(40, 20, 30, 12, camera="x"), min_top_1=0.9
    )
    assert Verdict.from_json(verdict.to_json()) == verdict
    override = Override("the old one is worse", "ann", "2026-01-31T12:00:00Z")
    overridden = dataclasses.replace(verdict, blessed=True, override=override)
    assert Verdict.from_json(overridden.to_json()) == overridden
    assert overridden.reason() == (
        "blessed by ann at 2026-01-31T12:00:00Z against the gate: the old one is worse"
    )
    assert "the gate said: not blessed" in overridden.lines()


def test_rules_survive_json():
    rules = Rules(min_top_1=0.5, columns=("image/column/camera",), decide_on="lower_bound")
    assert Rules.from_json(rules.to_json()) == rules


@settings(deadline=None)
@given(
    _counts(with_baseline=True),
    st.fixed_dictionaries(
        {},
        optional={
            "min_top_1": st.floats(0, 1),
            "max_top_1_drop": st.floats(0, 1),
            "min_worst_slice_top_1": st.floats(0, 1),
            "max_slice_top_1_drop": st.floats(0, 1),
        },
    ),
    st.sampled_from(["estimate", "lower_bound"]),
)
def test_one_more_right_answer_never_costs_the_blessing(counts, rules, decide_on):
    examples, right, before, lost = counts
    assume(lost > 0)  # an image that only the baseline got right, and the candidate does now
    parts = [
        (_measures(*row), _measures(*row, format="png"))
        for row in (counts, (examples, right + 1, before, lost - 1))
    ]
    worse, better = (_judge(*part, **rules, decide_on=decide_on) for part in parts)
    assert better.blessed or not worse.blessed
