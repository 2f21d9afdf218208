"""Pictures of each class, out of the training split."""

from typing import Any

import pyarrow.compute as pc

from pipeline.report import pictures
from pipeline.report.reported_run import ReportedRun
from preprocessing import features
from preprocessing.stage import dataset_manifest

# As many pictures at most, whatever the number of classes.
MAX_PICTURES = 60
MAX_OF_CLASS = 6


def view(run: ReportedRun) -> dict[str, Any] | None:
    """Values of the template; None where there is no dataset."""
    names = run.class_names
    manifest = run.dataset / features.MANIFEST_FILE if run.dataset is not None else None
    if not names or manifest is None or not manifest.is_file():
        return None
    order = _worst_first(run, names)[:MAX_PICTURES]
    of_class = max(1, min(MAX_OF_CLASS, MAX_PICTURES // len(order)))
    rows = _first_of_classes(str(manifest), order, of_class)
    uris = {row["sha256"]: row["uri"] for found in rows.values() for row in found}
    images = pictures.of_images(run.dataset, uris, run.config.preprocessing)
    classes = [
        (name, [(row["uri"], images.get(row["sha256"], "")) for row in rows[name]])
        for name in order
    ]
    return {"classes": classes, "hidden": len(names) - len(order)}


def _worst_first(run: ReportedRun, names: list[str]) -> list[str]:
    """All classes in their order where they all fit; else those of the worst recall first."""
    if run.judged is None or len(names) <= MAX_PICTURES:
        return names
    return [entry["class"] for entry in run.judged.classes]


def _first_of_classes(
    path: str, names: list[str], of_class: int
) -> dict[str, list[dict[str, Any]]]:
    """The first rows of each class in the order of the digests, which is as good as chance."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for table in dataset_manifest.read_tables(path):
        usable = pc.and_(
            pc.equal(table["status"], "used"), pc.equal(table["split"], features.TRAIN_SPLIT)
        )
        table = table.filter(usable)
        for number, name in enumerate(table["class"].to_pylist()):
            if name in found and len(found[name]) < of_class:
                found[name] += table.slice(number, 1).to_pylist()
        if all(len(rows) == of_class for rows in found.values()):
            break
    return found
