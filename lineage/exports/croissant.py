"""The dataset of a run in Croissant, the format of MLCommons for describing data sets.

Two record sets: `images`, what a model is trained and evaluated on, in the shards; and `files`, a
row for each file that was seen, used or not, in the manifest.
"""

import json
import os
from pathlib import Path, PurePosixPath
from typing import Any

from lineage.exports import croissant_records
from lineage.record.run import Run
from pipeline.cache import fingerprints
from preprocessing import features
from preprocessing.files.digest import sha256_of
from preprocessing.files.new_file import write_text

FILE = "croissant.json"
CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
_SHARD_FORMAT = "application/x-tfrecord"
SHARDS = "shards"
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
    shards = [n for n in files if n.startswith(croissant_records.SPLIT_FOLDER)]
    return told | {
        "distribution": _distribution(dataset.uri, files, shards, folder),
        "recordSet": croissant_records.all_of(run, shards, SHARDS),
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
        "@id": SHARDS,
        "name": SHARDS,
        "description": "records as tf.train.Example",
        "containedIn": [{"@id": name} for name in shards],
        "encodingFormat": _SHARD_FORMAT,
        "includes": "*",
    }
    return [*objects, together] if shards else objects
