"""SavedModels as files: where an artifact keeps its own, versions in a push folder, content."""

import posixpath
from collections.abc import Sequence

from tfx import types
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.content_digest import digest_of_files
from preprocessing.files.digest import sha256_of
from trainer_module.serving import export_files

GRAPH_FILE = "saved_model.pb"


def of_artifact(models: Sequence[types.Artifact]) -> str | None:
    """Folder of the SavedModel of the only `Model` artifact in `models`, None if it has none."""
    model = artifact_utils.get_single_instance(list(models))
    return folder_of(model.uri, path_utils.is_old_model_artifact(model))


def folder_of(uri: str, is_old: bool = False) -> str | None:
    """Folder of the SavedModel of a `Model` artifact at a URI, None if it has none.

    Args:
      uri: of the artifact.
      is_old: whether a TFX of before 0.27 made it, with other folders.
    """
    folder = path_utils.serving_model_dir(uri, is_old)
    return folder if fileio.exists(posixpath.join(folder, GRAPH_FILE)) else None


def versions(model_dir: str) -> list[int]:
    """Versions under `model_dir` that hold a complete SavedModel, the newest first."""
    if not fileio.isdir(model_dir):
        return []
    names = [name.rstrip("/") for name in fileio.listdir(model_dir)]
    numbers = [int(name) for name in names if name.isascii() and name.isdigit()]
    complete = [n for n in numbers if fileio.exists(version_dir(model_dir, n, GRAPH_FILE))]
    return sorted(complete, reverse=True)


def version_dir(model_dir: str, version: int, *parts: str) -> str:
    """Path of a version, or of a file in it."""
    return posixpath.join(model_dir, str(version), *parts)


def damaged_files(folder: str) -> list[str]:
    """Compares the files of a SavedModel with its list of checksums.

    Args:
      folder: the SavedModel.

    Returns:
      One line per file that is missing, changed or not listed; empty where all is well, and where
      the model has no list (only our own exports have one).
    """
    own = posixpath.join(export_files.EXTRA_FOLDER, export_files.CHECKSUMS_FILE)
    if not fileio.exists(posixpath.join(folder, own)):
        return []
    with fileio.open(posixpath.join(folder, own), "rb") as file:
        lines = file.read().decode("utf-8", "replace").splitlines()
    expected = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    found = set(_files(folder)) - {own}
    problems = [f"{name} is missing" for name in sorted(set(expected) - found)]
    problems += [f"{name} is not in its list of files" for name in sorted(found - set(expected))]
    for name in sorted(found & set(expected)):
        if _file_sha256(posixpath.join(folder, name)) != expected[name]:
            problems.append(f"{name} is not what was exported")
    return problems


def content_digest(folder: str) -> str:
    """SHA-256, hexadecimal, over the relative paths and bytes of all files under `folder`."""
    names = _files(folder)
    digests = {name: _file_sha256(posixpath.join(folder, name)) for name in names}
    return digest_of_files(digests)


def _files(folder: str) -> list[str]:
    return sorted(
        posixpath.relpath(posixpath.join(parent, name), folder)
        for parent, _, names in fileio.walk(folder)
        for name in names
    )


def _file_sha256(path: str) -> str:
    with fileio.open(path, "rb") as file:
        return sha256_of(file)
