"""Copies of a picture, and what is decided about them; see `duplicates`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from preprocessing import features

KEEP, DROP, FAIL = "keep", "drop", "fail"

# What is decided about a copy. One that is kept may still prove unusable when it is decoded.
KEPT, DROPPED, QUARANTINED = "kept", "dropped", "quarantined"
# Why they are not used; the second is a reason of the quarantine.
COPY = "copy"
CONFLICT = "copies with different labels"


class Copy(NamedTuple):
    """A file that others have the same bytes as.

    Attributes:
      sha256: hexadecimal SHA-256 of the bytes.
      uri: of the file.
      class_text: its class name.
      split: its split.
      shard: number of its source shard within the split, from 0.
      position: number of its record within the source shard, from 0.
    """

    sha256: str
    uri: str
    class_text: str
    split: str
    shard: int
    position: int


@dataclass(frozen=True)
class Group:
    """All copies of one picture, two or more, sorted by URI."""

    copies: tuple[Copy, ...]
    different_labels: bool
    both_splits: bool

    @classmethod
    def of(cls, copies: Iterable[Copy]) -> "Group":
        """Makes a group of copies with the same digest."""
        copies = tuple(sorted(copies))
        return cls(
            copies,
            different_labels=len({copy.class_text for copy in copies}) > 1,
            both_splits=len({copy.split for copy in copies}) > 1,
        )

    def decisions(self, policy: str) -> list[str]:
        """What is decided about each copy."""
        if policy != DROP:
            return [KEPT] * len(self.copies)
        if self.different_labels:
            return [QUARANTINED] * len(self.copies)
        return [KEPT if copy == self.best else DROPPED for copy in self.copies]

    @property
    def best(self) -> Copy:
        """The copy that is used where one is."""
        return min(self.copies, key=lambda copy: (copy.split != features.EVAL_SPLIT, copy))

    @property
    def conflict(self) -> tuple[Copy, Copy]:
        """The first copy, and the first that has another label, where one has."""
        first = self.copies[0]
        return first, next(copy for copy in self.copies if copy.class_text != first.class_text)
