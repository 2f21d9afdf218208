"""The dataset of a run in Croissant, the format of MLCommons for describing data sets.

Two record sets: `images`, what a model is trained and evaluated on, in the shards; and `files`, a
row for each file that was seen, used or not, in the manifest.
"""

import json
import os
from pathlib import Path, PurePosixPath
from typing import Any

from lineage.record.run import Run
from pipeline.cache import fingerprints
from preprocessing import features
from preprocessing.files.digest import sha256_of
from preprocessing.files.new_file import write_text
from preprocessing.stage import dataset_manifest

FILE = "croissant.json"
CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
_SHARD_FORMAT = "application/x-tfrecord"
_SPLIT_FOLDER = "Split-"
_TYPES = {"string": "sc:Text", "int32": "sc:Integer"}
# As the specification writes it.
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
# The columns of the manifest that are not text or numbers by themselves.
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


def write(run: Run, folder: Path) -> None:
    """Writes the description of a run's dataset, if it made or used one that is here.

    Args:
      run: its record.
      folder: of the run's report.
    """
    if run.dataset is None or run.source is None or not Path(run.dataset.uri).is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    described = describe(run, folder)
    write_text(folder / FILE, json.dumps(described, indent=2, ensure_ascii=False) + "\n")


def describe(run: Run, folder: Path) -> dict[str, Any]:
    """The description.

    Args:
      run: the record of a run with a dataset.
      folder: where the description will lie: the files are named as seen from there.
    """
    data = run.settings.get("data", {})
    dataset, source = run.dataset, run.source
    name = PurePosixPath(source.path.rstrip("/")).name or run.run.pipeline
    told: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": name,
        "description": data.get("description", "").strip() or _description(run),
        "conformsTo": CONFORMS_TO,
        "version": f"{source.span or 0}.{source.version or 0}.0",
        "datePublished": run.run.started.date().isoformat(),
        "url": source.path if "://" in source.path else Path(source.path).absolute().as_uri(),
        "identifier": f"sha256:{dataset.digest}",
        "keywords": ["image classification"],
    }
    if data.get("license"):
        told["license"] = data["license"]
    files = _files(dataset.uri)
    shards = [n for n in files if PurePosixPath(n).parts[0].startswith(_SPLIT_FOLDER)]
    return told | {
        "distribution": _distribution(dataset.uri, files, shards, folder),
        "recordSet": [_splits(shards), _classes(run), _images(), _seen_files()],
    }


def _description(run: Run) -> str:
    used, classes = run.dataset.images.get("used", 0), len(run.dataset.classes)
    return f"{used} images in {classes} classes, from {run.source.path}"


def _files(uri: str) -> dict[str, str]:
    """The SHA-256 of each file of the dataset, as noted when it was made."""
    noted = fingerprints.published(uri)
    if noted:
        return dict(sorted(noted.items()))
    found = {}
    for path in sorted(Path(uri).rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                found[path.relative_to(uri).as_posix()] = sha256_of(file)
    return found


def _distribution(
    uri: str, files: dict[str, str], shards: list[str], folder: Path
) -> list[dict[str, Any]]:
    formats = {
        features.MANIFEST_FILE: "application/x-parquet",
        features.CLASS_NAMES_FILE: "text/plain",
    } | dict.fromkeys(shards, _SHARD_FORMAT)
    objects = [
        {
            "@type": "cr:FileObject",
            "@id": name,
            "name": name,
            "contentUrl": Path(os.path.relpath(Path(uri, name), folder)).as_posix(),
            "encodingFormat": formats[name],
            "sha256": digest,
        }
        for name, digest in files.items()
        if name in formats
    ]
    together = {
        "@type": "cr:FileSet",
        "@id": "shards",
        "name": "shards",
        "description": "records as tf.train.Example",
        "containedIn": [{"@id": name} for name in shards],
        "encodingFormat": _SHARD_FORMAT,
        "includes": "*",
    }
    return [*objects, together] if shards else objects


def _splits(shards: list[str]) -> dict[str, Any]:
    names = {PurePosixPath(shard).parts[0].removeprefix(_SPLIT_FOLDER) for shard in shards}
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


def _images() -> dict[str, Any]:
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
        _field(f"images/{name}", kind, {"fileSet": {"@id": "shards"}}, {"column": column}, text)
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
