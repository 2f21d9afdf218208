"""What two models say of the images that both evaluated, from the answers for single images.

Images are the same if their bytes are; their labels may differ between two datasets, and then
right and wrong cannot be compared. Both files are sorted by digest, so that a row group of each
is in memory at a time.
"""

import dataclasses
import heapq
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import NamedTuple

from components.evaluator import predictions
from components.evaluator.predictions import BASELINE, CANDIDATE

# As many are named as examples, the most confident mistakes.
MAX_EXAMPLES = 24
_OF_IMAGE = ("sha256", "uri", "class")
_OF_MODEL = ("correct", "predicted", "probability")


class Answer(NamedTuple):
    """What a model says of an image.

    Attributes:
      sha256: of the image.
      uri: of the image.
      class_name: its label.
      correct: whether the likeliest class is that one.
      predicted: the likeliest class, None where there was no answer.
      probability: of that class, 0 to 1.
    """

    sha256: str
    uri: str
    class_name: str
    correct: bool
    predicted: str | None
    probability: float | None


@dataclasses.dataclass(frozen=True)
class ChangedAnswer:
    """An image that one model gets right and the other does not."""

    before: Answer
    after: Answer


class ClassAnswers(NamedTuple):
    """Images of a class that both models evaluated, and those that one alone gets right."""

    images: int
    gained: int
    lost: int


@dataclasses.dataclass(frozen=True)
class AnswerChanges:
    """Two models on the images that both evaluated.

    Attributes:
      images: how many there are; of copies each counts.
      relabelled: further images that both evaluated, but not under the same label.
      gained: images that only the second gets right.
      lost: images that only the first gets right.
      by_class: the same by class.
      examples_lost: some that were lost, those first of whose wrong class the second is surest.
      examples_gained: some that were gained, those first of whose wrong class the first was surest.
    """

    images: int
    relabelled: int
    gained: int
    lost: int
    by_class: dict[str, ClassAnswers]
    examples_lost: list[ChangedAnswer]
    examples_gained: list[ChangedAnswer]


def of_two_files(before: str, after: str) -> AnswerChanges:
    """Compares two evaluations.

    Args:
      before: path of the predictions of the first.
      after: of the second.
    """
    relabelled = Counter()
    pairs = _matched(_by_image(before), _by_image(after), relabelled)
    return _changes(pairs, relabelled)


def of_baseline(path: str, *, candidate_first: bool) -> AnswerChanges:
    """Compares candidate and baseline of one evaluation.

    Args:
      path: of its predictions.
      candidate_first: whether the candidate is the first of the two.
    """
    sides = (CANDIDATE, BASELINE) if candidate_first else (BASELINE, CANDIDATE)
    pairs = zip(*(_answers(path, side) for side in sides), strict=True)
    return _changes(pairs, Counter())


def _changes(pairs: Iterable[tuple[Answer, Answer]], relabelled: Counter) -> AnswerChanges:
    images, gained, lost = Counter(), Counter(), Counter()
    # The examples that are the hardest to explain; a number keeps equal ones in order.
    found_lost: list[tuple[float, int, ChangedAnswer]] = []
    found_gained: list[tuple[float, int, ChangedAnswer]] = []
    for number, (before, after) in enumerate(pairs):
        images[after.class_name] += 1
        if before.correct == after.correct:
            continue
        changed = ChangedAnswer(before, after)
        if before.correct:
            lost[after.class_name] += 1
            _keep(found_lost, (after.probability or 0.0, -number, changed))
        else:
            gained[after.class_name] += 1
            _keep(found_gained, (before.probability or 0.0, -number, changed))
    return AnswerChanges(
        images=images.total(),
        relabelled=relabelled.total(),
        gained=gained.total(),
        lost=lost.total(),
        by_class={n: ClassAnswers(images[n], gained[n], lost[n]) for n in sorted(images)},
        examples_lost=[entry[-1] for entry in sorted(found_lost, reverse=True)],
        examples_gained=[entry[-1] for entry in sorted(found_gained, reverse=True)],
    )


def _keep(
    heap: list[tuple[float, int, ChangedAnswer]], entry: tuple[float, int, ChangedAnswer]
) -> None:
    (heapq.heappush if len(heap) < MAX_EXAMPLES else heapq.heappushpop)(heap, entry)


def _answers(path: str, side: str) -> Iterator[Answer]:
    names = [*_OF_IMAGE, *(f"{side}{name}" for name in _OF_MODEL)]
    for table in predictions.read(path, names):
        columns = [table[name].to_pylist() for name in names]
        yield from map(Answer._make, zip(*columns, strict=True))


def _by_image(path: str) -> Iterator[tuple[str, list[Answer]]]:
    """The answers for each image and its copies, in the order of the digests."""
    for digest, copies in itertools.groupby(_answers(path, CANDIDATE), attrgetter("sha256")):
        if digest:  # what other tools wrote may have none
            yield digest, list(copies)


def _matched(
    before: Iterator[tuple[str, list[Answer]]],
    after: Iterator[tuple[str, list[Answer]]],
    relabelled: Counter,
) -> Iterator[tuple[Answer, Answer]]:
    """Pairs of answers for the same image under the same label; counts the other images."""
    old, new = next(before, None), next(after, None)
    while old is not None and new is not None:
        if old[0] == new[0]:
            if len(old[1]) == len(new[1]) == 1 and old[1][0].class_name == new[1][0].class_name:
                yield old[1][0], new[1][0]  # nearly always, and much faster
            else:
                pairs = list(_pairs(old[1], new[1]))
                yield from pairs
                relabelled["images"] += min(len(old[1]), len(new[1])) - len(pairs)
            old, new = next(before, None), next(after, None)
        elif old[0] < new[0]:
            old = next(before, None)
        else:
            new = next(after, None)


def _pairs(before: list[Answer], after: list[Answer]) -> Iterator[tuple[Answer, Answer]]:
    by_class: dict[str, list[Answer]] = {}
    for answer in before:
        by_class.setdefault(answer.class_name, []).append(answer)
    for answer in after:
        if by_class.get(answer.class_name):
            yield by_class[answer.class_name].pop(0), answer
