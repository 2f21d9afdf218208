"""The parts of a record about the images: where they came from, and what became of them."""

import hashlib
from typing import Any

from lineage.making.artifact_files import read_json, read_lines
from lineage.making.outputs import Outputs
from lineage.record.parts import Artifact, ClassCount, Dataset, Quarantine, Quarantined, Source
from preprocessing import features

_COUNTED = ("seen", "used", "quarantined", "dropped", "duplicates")
# The record says why images are missing; the file has all of them.
_MAX_QUARANTINED = 20


def source(outputs: Outputs) -> Source | None:
    """The images as ImageExampleGen found them, None where it made nothing."""
    node = outputs.node("ImageExampleGen")
    examples = outputs.artifact("ImageExampleGen", "examples")
    if node is None or examples is None:
        return None
    found = read_json(examples.uri, features.INGESTION_FILE) or {}
    return Source(
        path=str(node.properties.get("path", found.get("source", ""))),
        digest=_digest(examples),
        artifact_id=examples.id,
        format=found.get("format", ""),
        span=examples.properties.get("span"),
        version=examples.properties.get("version"),
        fingerprint=str(examples.properties.get("input_fingerprint", "")),
        images=found.get("images"),
        splits=found.get("splits", {}),
        left_out=found.get("left_out", {}),
    )


def dataset(outputs: Outputs) -> Dataset | None:
    """The records that ImagePreprocessor made, None where it made nothing."""
    made = outputs.artifact("ImagePreprocessor", "transformed_examples")
    if made is None:
        return None
    counts: dict[str, Any] = read_json(made.uri, features.COUNTS_FILE) or {}
    statistics = read_json(made.uri, features.STATISTICS_FILE) or {}
    return Dataset(
        digest=_digest(made),
        artifact_id=made.id,
        uri=made.uri,
        made_in_run=made.made_in_run,
        images=_counted(counts),
        splits={split: _counted(of) for split, of in counts.get("splits", {}).items()},
        classes=[
            ClassCount(name=entry["name"], images=entry["images"])
            for entry in statistics.get("classes", [])
        ],
        quarantine=_quarantine(outputs, counts),
    )


def _digest(artifact: Artifact) -> str:
    """What an artifact is: its content, or where that is not known, its place."""
    return artifact.digest or hashlib.sha256(artifact.uri.encode()).hexdigest()


def _counted(counts: dict[str, Any]) -> dict[str, int]:
    return {name: counts[name] for name in _COUNTED if name in counts}


def _quarantine(outputs: Outputs, counts: dict[str, Any]) -> Quarantine | None:
    made = outputs.artifact("ImagePreprocessor", "quarantine")
    if made is None or "quarantined" not in counts:
        return None
    rows = read_lines(made.uri, features.QUARANTINE_FILE, _MAX_QUARANTINED)
    keys = tuple(Quarantined.model_fields)
    return Quarantine(
        images=counts["quarantined"],
        reasons=counts.get("reasons", {}),
        first=[Quarantined(**{key: row.get(key) or "" for key in keys}) for row in rows],
        file=f"{made.uri}/{features.QUARANTINE_FILE}",
    )
