"""What the report shows of copies with different labels: each picture once, and where it stands."""

import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.report import pictures
from preprocessing import features
from preprocessing.stage import duplicates, stored_images
from preprocessing.stage.options import PictureOptions

MAX_PICTURES = 24
MAX_COPIES = 4


def view(lists: Path | None, source: Path | None, options: PictureOptions) -> list[dict[str, Any]]:
    """The first pictures that have copies with different labels.

    Args:
      lists: folder with `duplicates.jsonl`; None or without it, nothing is shown.
      source: folder of the source records, which have the pictures; None: they are not shown.
      options: how pictures are decoded.

    Returns:
      An object for each picture: `image`, a data URI, empty where it cannot be shown; `copies`,
      as they stand in `duplicates.jsonl`, those of different labels first; and `hidden`, the
      number of further copies.
    """
    report = lists / features.DUPLICATES_FILE if lists is not None else None
    if report is None or not report.exists():
        return []
    groups = list(itertools.islice(duplicates.read_conflicts(str(report)), MAX_PICTURES))
    firsts = [copies[0] for copies in groups]
    found = stored_images.of_source(source, firsts) if source is not None else ()
    images = {digest: pictures.thumbnail(data, options) for digest, data in found}
    shown = []
    for copies in groups:
        named = _labels_first(copies)[:MAX_COPIES]
        image = images.get(copies[0]["sha256"], "")
        shown.append({"image": image, "copies": named, "hidden": len(copies) - len(named)})
    return shown


def _labels_first(copies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The copies in their order, but the first one of each label before all others."""
    numbers: Counter[str] = Counter()

    def number_of_its_label(copy: dict[str, Any]) -> int:
        numbers[copy["class"]] += 1
        return numbers[copy["class"]]

    return sorted(copies, key=number_of_its_label)
