import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from components.evaluator import intervals


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # R. G. Newcombe, Two-sided confidence intervals for the single proportion, 1998, table I,
        # method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_as_published(successes, trials, low, high):
    found = intervals.proportion(successes, trials, 0.95)
    assert found == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_tango_as_published():
    # M. W. Fagerland, S. Lydersen, P. Laake, Recommended tests and confidence intervals for paired
    # binomial proportions, 2014: airway hyper-responsiveness of 21 children, 1 against 7.
    found = intervals.paired_change(1, 7, 21, 0.95)
    assert found == (pytest.approx(-0.517, abs=5e-4), pytest.approx(-0.026, abs=5e-4))


def test_mcnemar_as_published():
    assert intervals.same_accuracy(1, 7) == pytest.approx(0.0703, abs=5e-5)  # the same children
    assert intervals.same_accuracy(0, 0) == 1.0


def _score_of_likeliest(gained: int, lost: int, trials: int, change: float) -> float:
    """The score by a search for the likeliest share, instead of the formula for it."""

    def minus_log_likelihood(share_lost: float) -> float:
        same = 1 - 2 * share_lost - change
        terms = ((gained, share_lost + change), (lost, share_lost), (trials - gained - lost, same))
        if any(count and share <= 0 for count, share in terms):
            return math.inf
        return -sum(count * math.log(share) for count, share in terms if count)

    bounds = max(0.0, -change), (1 - change) / 2
    grid = np.linspace(*bounds, 2001)
    best = int(np.argmin([minus_log_likelihood(share) for share in grid]))
    around = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    share = optimize.minimize_scalar(
        minus_log_likelihood, bounds=around, method="bounded", options={"xatol": 1e-10}
    ).x
    variance = trials * (2 * share + change - change**2)
    return (gained - lost - trials * change) / math.sqrt(variance)


@pytest.mark.parametrize(
    ("gained", "lost", "trials"), [(3, 9, 40), (0, 6, 40), (12, 2, 380), (5, 5, 20), (40, 20, 160)]
)
def test_ends_of_the_paired_interval_are_z_away(gained, lost, trials):
    low, high = intervals.paired_change(gained, lost, trials, 0.9)
    z = stats.norm.ppf(0.95)
    assert _score_of_likeliest(gained, lost, trials, low) == pytest.approx(z, abs=1e-4)
    assert _score_of_likeliest(gained, lost, trials, high) == pytest.approx(-z, abs=1e-4)


@given(st.integers(0, 500), st.integers(0, 500), st.floats(0.5, 0.999))
def test_proportion_lies_in_its_interval_within_0_and_1(successes, failures, confidence):
    trials = successes + failures
    low, high = intervals.proportion(successes, trials, confidence)
    assert 0 <= low <= high <= 1
    if trials:
        assert low <= successes / trials <= high
        assert high - low > 0  # also where all or none are right


@settings(deadline=None)
@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 500), st.floats(0.5, 0.999))
def test_change_lies_in_its_interval_within_1(gained, lost, both, confidence):
    trials = gained + lost + both
    low, high = intervals.paired_change(gained, lost, trials, confidence)
    assert -1 <= low <= high <= 1
    if trials:
        assert low - 1e-9 <= (gained - lost) / trials <= high + 1e-9
        other = intervals.paired_change(lost, gained, trials, confidence)
        assert other == (pytest.approx(-high, abs=1e-6), pytest.approx(-low, abs=1e-6))
        wider = intervals.paired_change(gained, lost, trials, (1 + confidence) / 2)
        assert wider[0] <= low + 1e-9
        assert wider[1] >= high - 1e-9
