"""The record sets in a Croissant description: which fields a record has, and where they are."""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from lineage.record.run import Run
from preprocessing import features
from preprocessing.stage import dataset_manifest

SPLIT_FOLDER = "Split-"
_TYPES = {"string": "sc:Text", "int32": "sc:Integer"}
# What the columns of the manifest say.
_MEANINGS = {
    "sha256": "SHA-256 of the file's bytes",
    "uri": "the source file",
    "label": "index of the class",
    "class": "name of the class",
    "split": "train or eval",
    "status": "used, quarantined, or dropped: a copy of one that is used",
    "reason": "why it is not used",
    "shard": "file of its record",
    "position": "of its record in the shard, from 0",
}


def all_of(run: Run, shards: Sequence[str], shards_id: str) -> list[dict[str, Any]]:
    """The record sets of a dataset.

    Args:
      run: the record of a run with a dataset.
      shards: paths of its shards below its folder.
      shards_id: the name of the set of these files in the description.
    """
    return [_splits(shards), _classes(run), _images(shards_id), _seen_files()]


def _splits(shards: Sequence[str]) -> dict[str, Any]:
    names = {PurePosixPath(shard).parts[0].removeprefix(SPLIT_FOLDER) for shard in shards}
    urls = {
        features.TRAIN_SPLIT: "cr:TrainingSplit",
        features.EVAL_SPLIT: "cr:ValidationSplit",
    }
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [_inline("splits/name", "sc:Text"), _inline("splits/url", "sc:URL")],
        "data": [
            {"splits/name": name, "splits/url": urls[name]} for name in sorted(names & set(urls))
        ],
    }


def _classes(run: Run) -> dict[str, Any]:
    """Names and labels of the classes."""
    return {
        "@type": "cr:RecordSet",
        "@id": "classes",
        "name": "classes",
        "dataType": "sc:Enumeration",
        "key": {"@id": "classes/label"},
        "field": [_inline("classes/label", "sc:Integer"), _inline("classes/name", "sc:Text")],
        "data": [
            {"classes/label": label, "classes/name": entry.name}
            for label, entry in enumerate(run.dataset.classes)
        ],
    }


def _inline(name: str, kind: str) -> dict[str, Any]:
    return {"@type": "cr:Field", "@id": name, "name": name.partition("/")[2], "dataType": kind}


def _images(shards_id: str) -> dict[str, Any]:
    """What a model is trained and evaluated on."""
    columns = (
        ("image", "sc:ImageObject", features.ENCODED, "the image file"),
        ("label", "sc:Integer", features.LABEL, "index of the class"),
        ("class", "sc:Text", features.CLASS_TEXT, "name of the class"),
        ("sha256", "sc:Text", features.SHA256, "SHA-256 of the source file's bytes"),
        ("filename", "sc:Text", features.FILENAME, "the source file"),
        ("height", "sc:Integer", features.HEIGHT, "in pixels"),
        ("width", "sc:Integer", features.WIDTH, "in pixels"),
    )
    fields = [
        _field(f"images/{name}", kind, {"fileSet": {"@id": shards_id}}, {"column": column}, text)
        for name, kind, column, text in columns
    ]
    fields[1]["references"] = {"field": {"@id": "classes/label"}}
    return {
        "@type": "cr:RecordSet",
        "@id": "images",
        "name": "images",
        "description": "what a model is trained and evaluated on",
        "key": {"@id": "images/sha256"},
        "field": fields,
    }


def _seen_files() -> dict[str, Any]:
    """All files that were seen, with what became of them."""
    return {
        "@type": "cr:RecordSet",
        "@id": "files",
        "name": "files",
        "description": "all files that were seen, and what became of each",
        "field": [
            _field(
                f"files/{column.name}",
                _TYPES[str(column.type)],
                {"fileObject": {"@id": features.MANIFEST_FILE}},
                {"column": column.name},
                _MEANINGS[column.name],
            )
            for column in dataset_manifest.SCHEMA
        ],
    }


def _field(
    name: str, kind: str, origin: dict[str, Any], extract: dict[str, Any], text: str
) -> dict[str, Any]:
    return {
        **_inline(name, kind),
        "description": text,
        "source": {**origin, "extract": extract},
    }
