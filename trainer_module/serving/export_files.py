"""The files beside a SavedModel's graph: class names, description, checksums; no TensorFlow."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from preprocessing import features
from preprocessing.files.class_names import format_class_names
from preprocessing.files.digest import sha256_of

# TensorFlow Serving and the SavedModel format leave this folder to others.
EXTRA_FOLDER = "assets.extra"
# Where TensorFlow Serving looks for requests that it replays when it loads a model.
WARM_UP_FILE = "tf_serving_warmup_requests"
DESCRIPTION_FILE = "model.json"
# As `sha256sum` writes and checks it, from within the SavedModel's folder.
CHECKSUMS_FILE = "sha256sums.txt"
_DESCRIPTION_VERSION = 1


def write(folder: Path, class_names: Sequence[str], description: Mapping[str, Any]) -> None:
    """Writes `labels.txt`, `model.json` and the checksums of all files.

    Args:
      folder: a SavedModel.
      class_names: a name for each output.
      description: further entries of `model.json`.
    """
    extra = folder / EXTRA_FOLDER
    extra.mkdir(exist_ok=True)
    (extra / features.CLASS_NAMES_FILE).write_text(
        format_class_names(class_names), encoding="utf-8"
    )
    content = {
        "format_version": _DESCRIPTION_VERSION,
        "class_names": list(class_names),
        **description,
    }
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    (extra / DESCRIPTION_FILE).write_text(text, encoding="utf-8")
    write_checksums(folder)


def write_checksums(folder: Path) -> None:
    """Writes the SHA-256 of every file of a SavedModel, except that of the list itself."""
    own = folder / EXTRA_FOLDER / CHECKSUMS_FILE
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != own)
    lines = [f"{_sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    own.write_text("".join(lines), encoding="utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return sha256_of(file)
