"""Why an image cannot be used: a reason to count by, a detail of the one file, and their sum.

The reasons here are those that are known before a picture is decoded; those of decoding are in
`preprocessing/images/image_ops.py`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

# The file, or the member of a container, cannot be read.
UNREADABLE = "unreadable file"
# A record or a sample that has no picture in it, or more than one.
NO_SINGLE_IMAGE = "no single image"
# A record whose checksum is wrong, or that is no `tf.train.Example`.
DAMAGED_RECORD = "damaged record"
# It can be read, but nothing says which class it is, or what does is no class.
NO_CLASS = "no class"

NAMES_PER_REASON = 3


class Problem(NamedTuple):
    """Why one image cannot be used.

    Attributes:
      reason: one of the few reasons that are counted by.
      detail: what is wrong with this one, one line, may be empty.
    """

    reason: str
    detail: str = ""


class ProblemCounts:
    """How many images cannot be used, by reason, with the first few names of each."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: dict[str, list[tuple[str, str]]] = {}

    def add(self, uri: str, problem: Problem) -> None:
        """Counts an image."""
        self._counts[problem.reason] += 1
        self._name(problem.reason, [(uri, problem.detail)])

    def add_all(self, other: Mapping[str, Any]) -> None:
        """Counts what another object, as `to_json` gives it, has counted."""
        for reason, (count, first) in other.items():
            self._counts[reason] += count
            self._name(reason, first)

    def to_json(self) -> dict[str, Any]:
        """By reason: the number, and name and detail of the first."""
        return {reason: (self._counts[reason], first) for reason, first in self._first.items()}

    @property
    def total(self) -> int:
        """How many images cannot be used."""
        return self._counts.total()

    @property
    def by_reason(self) -> dict[str, int]:
        """The numbers, by reason in alphabetical order."""
        return dict(sorted(self._counts.items()))

    @property
    def names(self) -> list[str]:
        """The names of the first images of each reason."""
        return [uri for reason in self._ordered() for uri, _ in self._first[reason]]

    def __str__(self) -> str:
        """For people: `58 unreadable file: No such file or directory (a.jpg, b.jpg, c.jpg)`."""
        return "; ".join(
            f"{self._counts[reason]} {reason}{_examples(self._first[reason])}"
            for reason in self._ordered()
        )

    def _ordered(self) -> Iterator[str]:
        """The reasons, the most frequent one first."""
        return iter(sorted(self._counts, key=lambda reason: (-self._counts[reason], reason)))

    def _name(self, reason: str, more: Iterable[tuple[str, str]]) -> None:
        first = self._first.setdefault(reason, [])
        first.extend((uri, detail) for uri, detail in more)
        del first[NAMES_PER_REASON:]


def _examples(first: list[tuple[str, str]]) -> str:
    """Names with details; a detail that they share stands once, before them."""
    details = {detail for _, detail in first}
    if len(details) > 1:
        named = ", ".join(f"{uri}: {detail}" if detail else uri for uri, detail in first)
        return f" ({named})"
    detail = next(iter(details))
    return f"{': ' if detail else ''}{detail} ({', '.join(uri for uri, _ in first)})"
