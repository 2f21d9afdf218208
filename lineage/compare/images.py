"""The images that came, went or moved between two datasets: both manifests read side by side."""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lineage.record.parts import Dataset
from preprocessing import features
from preprocessing.stage import dataset_manifest

# As many are named as examples.
MAX_EXAMPLES = 5
CAME, WENT, MOVED, RELABELLED = "came", "went", "other split", "other class"


@dataclasses.dataclass(frozen=True)
class ImageChanges:
    """Used images that differ, by their bytes.

    Attributes:
      counts: by way: `came`, `went`, `other split`, `other class`.
      classes: the same by way and class.
      rows: some rows of the manifests, by way: of images that went, of the first one.
    """

    counts: Mapping[str, int]
    classes: Mapping[tuple[str, str], int]
    rows: Mapping[str, list[dict[str, Any]]]

    @property
    def examples(self) -> dict[str, list[str]]:
        """URIs of those images."""
        return {way: [row["uri"] for row in rows] for way, rows in self.rows.items()}


def image_changes(before: Dataset | None, after: Dataset | None) -> ImageChanges | None:
    """Compares the images of two datasets.

    The manifests are sorted by digest, so that a row group of each is in memory at a time.

    Returns:
      None where a manifest cannot be read; nothing is known then.
    """
    if before is None or after is None:
        return None
    counts: Counter[str] = Counter()
    classes: Counter[tuple[str, str]] = Counter()
    rows: dict[str, list[dict[str, Any]]] = {}
    if before.digest == after.digest:
        return ImageChanges(counts, classes, rows)
    paths = [Path(dataset.uri, features.MANIFEST_FILE) for dataset in (before, after)]
    if not all(path.is_file() for path in paths):
        return None
    for way, row in _differences(_used(paths[0]), _used(paths[1])):
        counts[way] += 1
        classes[way, row["class"]] += 1
        named = rows.setdefault(way, [])
        if len(named) < MAX_EXAMPLES:
            named.append(row)
    return ImageChanges(counts, classes, rows)


def _used(path: Path) -> Iterator[dict[str, Any]]:
    """One used row of each image, in the order of the digests."""
    last = ""
    for row in dataset_manifest.read_manifest(str(path)):
        if row["status"] == "used" and row["sha256"] != last:
            last = row["sha256"]
            yield row


def _differences(
    before: Iterator[dict[str, Any]], after: Iterator[dict[str, Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    old, new = next(before, None), next(after, None)
    while old is not None or new is not None:
        if new is None or (old is not None and old["sha256"] < new["sha256"]):
            yield WENT, old
            old = next(before, None)
        elif old is None or new["sha256"] < old["sha256"]:
            yield CAME, new
            new = next(after, None)
        else:
            if old["split"] != new["split"]:
                yield MOVED, new
            if old["class"] != new["class"]:
                yield RELABELLED, new
            old, new = next(before, None), next(after, None)
