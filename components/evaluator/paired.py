"""The paired test: one model against another on the same images; needs no TensorFlow."""

import dataclasses

from components.evaluator import intervals


@dataclasses.dataclass(frozen=True)
class Change:
    """The change of an accuracy against another model, on the same images.

    Attributes:
      estimate: of the model minus the other, -1 to 1.
      low: lower end of its interval.
      high: upper end.
      p_value: of McNemar's exact test that both are equally good.
      gained: images that only the model gets right.
      lost: images that only the other gets right.
    """

    estimate: float
    low: float
    high: float
    p_value: float
    gained: int
    lost: int


def change(gained: int, lost: int, images: int, confidence: float) -> Change:
    """The change from what was counted.

    Args:
      gained: images that only the model gets right.
      lost: images that only the other gets right.
      images: all images, one or more.
      confidence: of the interval, both sides together, 0 to 1.
    """
    low, high = intervals.paired_change(gained, lost, images, confidence)
    p_value = intervals.same_accuracy(gained, lost)
    return Change((gained - lost) / images, low, high, p_value, gained, lost)
