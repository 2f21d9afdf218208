"""Finds the SavedModel that a person means."""

import json
from pathlib import Path

from preprocessing.errors import InputError

GRAPH_FILE = "saved_model.pb"


def find_saved_model(path: str) -> Path:
    """The SavedModel of a path.

    Args:
      path: a SavedModel, a folder of versions, a folder with one such folder, or the output
        folder of a run (its last pushed model).

    Returns:
      The folder with `saved_model.pb`: of several versions the newest.

    Raises:
      InputError: there is none, or there are several models.
    """
    folder = Path(path)
    if (folder / GRAPH_FILE).is_file():
        return folder
    if (folder / "serving").is_dir() or (folder / "summary.json").is_file():
        return _of_run(folder)
    found = _newest(folder)
    if found is None:
        models = sorted(f for f in folder.glob("*") if _newest(f) is not None)
        if len(models) > 1:
            names = ", ".join(model.name for model in models)
            raise InputError(f"MODEL must be one of the models under {path}: {names}")
        found = _newest(models[0]) if models else None
    if found is None:
        raise InputError(
            "MODEL must be a SavedModel, a folder of versions or the output folder of a run that "
            f"pushed a model. Received: {path!r}"
        )
    return found


def _of_run(folder: Path) -> Path:
    summary = folder / "summary.json"
    pushed = None
    if summary.is_file():
        pushed = json.loads(summary.read_text(encoding="utf-8"))["pushed_to"]
    # The last run may have pushed nothing; what an earlier one pushed is still served. And a
    # folder that was moved since does not have its model under the old path.
    if pushed is not None and (Path(pushed) / GRAPH_FILE).is_file():
        return Path(pushed)
    found = sorted(
        (version for model in (folder / "serving").glob("*") if (version := _newest(model))),
        key=lambda version: int(version.name),
    )
    if not found:
        raise InputError(f"MODEL {str(folder)!r} is the output of a run that pushed no model")
    return found[-1]


def _newest(folder: Path) -> Path | None:
    """The newest version in a folder of versions, None if there is none."""
    versions = [
        child
        for child in (folder.iterdir() if folder.is_dir() else ())
        if child.name.isascii() and child.name.isdigit() and (child / GRAPH_FILE).is_file()
    ]
    return max(versions, key=lambda version: int(version.name), default=None)
