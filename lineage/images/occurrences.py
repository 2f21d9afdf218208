"""Where an image is in datasets, from their manifests."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lineage.images.asked import AskedImage
from preprocessing import features
from preprocessing.stage import dataset_manifest

USED, QUARANTINED = "used", "quarantined"


@dataclasses.dataclass(frozen=True)
class Occurrence:
    """An image in a dataset.

    Attributes:
      dataset: the dataset's digest.
      uri: of the source file.
      sha256: of its bytes.
      split: `train` or `eval`.
      status: `used`, `quarantined`, or `dropped`: a copy of one that is used.
      reason: why it is not used; empty where it is.
      class_name: its class, empty if it is not known.
      label: number of the class, None where it has none.
      shard: file of its record within the split's folder, empty unless it is used.
      position: of the record within the shard, from 0.
    """

    dataset: str
    uri: str
    sha256: str
    split: str
    status: str
    reason: str
    class_name: str
    label: int | None
    shard: str
    position: int | None


@dataclasses.dataclass(frozen=True)
class Search:
    """What was found.

    Attributes:
      occurrences: of the image, and of its copies: files with the same bytes.
      same_name: occurrences of other bytes under the name of the file that was given, where no
        dataset has its bytes.
      not_searched: datasets whose manifest cannot be read, with the reason.
    """

    occurrences: list[Occurrence]
    same_name: list[Occurrence]
    not_searched: dict[str, str]


def search(datasets: Mapping[str, Iterable[str]], asked: AskedImage) -> Search:
    """Looks for an image in datasets.

    A digest reads one row group of each manifest; a name reads all names.

    Args:
      datasets: the folders that hold a dataset, by its digest.
      asked: the image.
    """
    manifests, not_searched = _manifests(datasets)
    occurrences, same_name = [], []
    for digest, path in manifests.items():
        if asked.sha256:
            occurrences += _occurrences(digest, dataset_manifest.find_image(path, asked.sha256))
        else:
            named = dataset_manifest.find_named(path, asked.name)
            for sha256 in sorted({row["sha256"] for row in named}):
                # A copy that was dropped, and the one that is used, have different names.
                occurrences += _occurrences(digest, dataset_manifest.find_image(path, sha256))
    if asked.sha256 and asked.name and not occurrences:
        for digest, path in manifests.items():
            same_name += _occurrences(digest, dataset_manifest.find_named(path, asked.name))
    return Search(occurrences, same_name, not_searched)


def detail(quarantine_file: str, occurrence: Occurrence) -> str:
    """What else the quarantine says of an image; empty where it says nothing."""
    path = Path(quarantine_file)
    if occurrence.status != QUARANTINED or not path.is_file():
        return ""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if occurrence.sha256 in line:
                entry = json.loads(line)
                if (entry["sha256"], entry["uri"]) == (occurrence.sha256, occurrence.uri):
                    return entry["detail"] or ""
    return ""


def _manifests(
    datasets: Mapping[str, Iterable[str]],
) -> tuple[dict[str, str], dict[str, str]]:
    found, missing = {}, {}
    for digest, folders in datasets.items():
        paths = [Path(folder, features.MANIFEST_FILE) for folder in folders]
        here = [path for path in paths if path.is_file()]
        if here:
            found[digest] = str(here[0])
        else:
            missing[digest] = f"there is no {' nor '.join(map(str, paths)) or 'manifest'}"
    return found, missing


def _occurrences(digest: str, rows: Iterable[Mapping[str, Any]]) -> list[Occurrence]:
    return [
        Occurrence(
            dataset=digest,
            uri=row["uri"],
            sha256=row["sha256"],
            split=row["split"],
            status=row["status"],
            reason=row["reason"] or "",
            class_name=row["class"],
            label=row["label"],
            shard=row["shard"] or "",
            position=row["position"],
        )
        for row in rows
    ]
