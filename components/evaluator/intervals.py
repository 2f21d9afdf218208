"""Confidence intervals of proportions, and of their change on the same images."""

import math

from scipy import optimize, stats

# Instead of 0, so that a search for the interval's ends has finite numbers to go by.
_MIN_VARIANCE = 1e-12


def proportion(successes: int, trials: int, confidence: float) -> tuple[float, float]:
    """Wilson's score interval of a proportion, within [0, 1].

    E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference, Journal of
    the American Statistical Association 22 (1927). Where all or none succeed it still has a
    width, and it never leaves [0, 1].

    Args:
      successes: 0 to `trials`.
      trials: 0 or more; of none, nothing is known.
      confidence: of both sides together, 0 to 1, as 0.95.
    """
    if trials == 0:
        return 0.0, 1.0
    found = stats.binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    # Rounding may leave the interval beside a proportion of exactly 0 or 1.
    share = successes / trials
    return min(max(float(found.low), 0.0), share), max(min(float(found.high), 1.0), share)


def paired_change(gained: int, lost: int, trials: int, confidence: float) -> tuple[float, float]:
    """Tango's score interval of the change of a proportion on the same images, within [-1, 1].

    T. Tango, Equivalence test and confidence interval for the difference in proportions for the
    paired-sample design, Statistics in Medicine 17 (1998). Two models on the same images are not
    independent: images that both get right or wrong say nothing about the change.

    Args:
      gained: images that only the candidate gets right.
      lost: images that only the baseline gets right.
      trials: all images; of none, nothing is known.
      confidence: of both sides together, 0 to 1.

    Returns:
      Bounds of (gained - lost) / trials, which lies between them.
    """
    if trials == 0:
        return -1.0, 1.0
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    estimate = (gained - lost) / trials

    def excess(change: float, bound: float) -> float:
        return _score(gained, lost, trials, change) - bound

    # The score falls from far above z, at a change of -1, to far below -z, at 1; it is 0 at the
    # estimate.
    low, high = -1.0, 1.0
    if estimate > -1:
        low = optimize.brentq(excess, -1.0, estimate, args=(z,))
    if estimate < 1:
        high = optimize.brentq(excess, estimate, 1.0, args=(-z,))
    return float(low), float(high)


def _score(gained: int, lost: int, trials: int, change: float) -> float:
    """How many standard deviations the counts lie above what an assumed change would give."""
    # The likeliest share of lost images if the change is `change`: a root of a quadratic.
    linear = -gained - lost + (2 * trials - gained + lost) * change
    constant = -lost * change * (1 - change)
    root = math.sqrt(max(linear**2 - 8 * trials * constant, 0.0))
    share_lost = (root - linear) / (4 * trials)
    variance = trials * (2 * share_lost + change * (1 - change))
    return (gained - lost - trials * change) / math.sqrt(max(variance, _MIN_VARIANCE))


def same_accuracy(gained: int, lost: int) -> float:
    """McNemar's exact test: how likely so uneven a split is if both models are equally good.

    Args:
      gained: images that only the candidate gets right.
      lost: images that only the baseline gets right.

    Returns:
      The two-sided p-value, 0 to 1; 1 where the models never differ.
    """
    if gained + lost == 0:
        return 1.0
    return float(stats.binomtest(gained, gained + lost, 0.5).pvalue)
