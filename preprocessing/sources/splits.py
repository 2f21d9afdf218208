"""Splits that a source brings, and what becomes of them.

A run has a `train` and an `eval` split. A source's `val`, `validation` or `eval` is our `eval`.
Its `test` is our `eval` where it has no other, and is left out, with its count, where it has: to
measure on it is for another day. A source that names a single split has none in our sense, and
images without a split are given to one by their content.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from preprocessing import features

TEST_SPLIT = "test"
_NAMES = {
    "train": features.TRAIN_SPLIT,
    "training": features.TRAIN_SPLIT,
    "eval": features.EVAL_SPLIT,
    "val": features.EVAL_SPLIT,
    "valid": features.EVAL_SPLIT,
    "validation": features.EVAL_SPLIT,
    "test": TEST_SPLIT,
    "testing": TEST_SPLIT,
}
KNOWN_NAMES = tuple(_NAMES)
# Names that people give to folders of a split, beside those above: `test1`, `Split-train`.
_LIKE_SPLIT = re.compile(
    rf"(split[-_ ]?)?({'|'.join(_NAMES)}|dev|holdout)"
    r"([-_ ]?(set|split|data|images?|imgs?))?[-_ ]?\d*",
    re.IGNORECASE,
)


def split_named(name: str) -> str | None:
    """`train`, `eval` or `test`, whichever a name means, or None; the case does not matter."""
    return _NAMES.get(name.lower())


def looks_like_split(name: str) -> bool:
    """Whether a folder is probably one of a split, by its name; `train station` is not."""
    return _LIKE_SPLIT.fullmatch(name) is not None


@dataclass(frozen=True)
class SplitRule:
    """What becomes of the images of each split of a source.

    Attributes:
      sides: our split by the source's; a split that is not there decides nothing, and images of
        it go by their content.
      left_out: splits of the source that are not used.
    """

    sides: Mapping[str, str]
    left_out: frozenset[str] = frozenset()


def decide(counts: Mapping[str | None, int]) -> SplitRule:
    """Makes the rule for a source.

    Args:
      counts: number of images by the source's split (`train`, `eval`, `test`), None for those
        without one.
    """
    named = {split for split, count in counts.items() if split is not None and count}
    if not named or (len(named) == 1 and not counts.get(None)):
        return SplitRule({})
    sides = {split: split for split in named - {TEST_SPLIT}}
    if features.EVAL_SPLIT in named:
        return SplitRule(sides, frozenset(named & {TEST_SPLIT}))
    if TEST_SPLIT in named:
        sides[TEST_SPLIT] = features.EVAL_SPLIT
    return SplitRule(sides)
