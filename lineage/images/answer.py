"""Answers what became of an image."""

import dataclasses
from collections.abc import Mapping, Sequence

from lineage.images import asked as asked_lib
from lineage.images import occurrences
from lineage.images.asked import AskedImage
from lineage.images.occurrences import Search
from lineage.images.uses import Use, Uses
from lineage.reading.source import RunSource
from lineage.record.run import RunLine


@dataclasses.dataclass(frozen=True)
class ImageAnswer:
    """All that is said of an image.

    Attributes:
      asked: what was asked for.
      found: where it is.
      details: what the quarantine says more of an occurrence, by its index.
      uses: models that have to do with it.
      runs: the runs with each dataset, the newest first.
    """

    asked: AskedImage
    found: Search
    details: Mapping[int, str]
    uses: Sequence[Use]
    runs: Mapping[str, Sequence[str]]


def answer(source: RunSource, text: str) -> ImageAnswer:
    """Looks for an image in all datasets, and for the models that have to do with it.

    Args:
      source: where runs are read from.
      text: a file, a SHA-256 or a name.

    Raises:
      InputError: it is none of these.
    """
    asked = asked_lib.read(text)
    lines = source.lines()
    found = occurrences.search(folders_of_datasets(lines), asked)
    details = {}
    for number, occurrence in enumerate(found.occurrences):
        if occurrence.status == occurrences.QUARANTINED:
            run = source.run(next(line.id for line in lines if line.dataset == occurrence.dataset))
            quarantine = run.dataset.quarantine if run.dataset is not None else None
            details[number] = occurrences.detail(quarantine.file if quarantine else "", occurrence)
    runs: dict[str, list[str]] = {}
    for line in lines:
        runs.setdefault(line.dataset, []).append(line.id)
    return ImageAnswer(asked, found, details, Uses(lines).of_image(found.occurrences), runs)


def folders_of_datasets(lines: Sequence[RunLine]) -> dict[str, list[str]]:
    """The folders that hold each dataset, by its digest; several where it was made again."""
    found: dict[str, dict[str, None]] = {}
    for line in lines:
        if line.dataset:
            found.setdefault(line.dataset, {})[line.dataset_uri] = None
    return {digest: list(folders) for digest, folders in found.items()}
