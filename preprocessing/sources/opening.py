"""Which kind of source a path is."""

import os

from preprocessing.errors import InputError
from preprocessing.sources import listing, storage
from preprocessing.sources.base import Source
from preprocessing.sources.class_names import read_class_names
from preprocessing.sources.containers import matching_files, split_of_folder
from preprocessing.sources.folder import FolderSource
from preprocessing.sources.manifest import ENDINGS, ManifestSource
from preprocessing.sources.tfrecord import TFRecordSource
from preprocessing.sources.webdataset import WebDatasetSource

AUTO = "auto"
_SOURCES = {
    source.format: source
    for source in (FolderSource, ManifestSource, TFRecordSource, WebDatasetSource)
}
FORMATS = (AUTO, *_SOURCES)
_CONTAINERS = (TFRecordSource, WebDatasetSource)


def open_source(
    path: str, *, data_format: str = AUTO, label_offset: int = 0, class_names_file: str = ""
) -> Source:
    """Makes the source of a path.

    Args:
      path: a folder, a file, or a pattern with `*` for containers; local or a URI. Spans are
        resolved already (see `spans.resolve`).
      data_format: one of `FORMATS`; `auto` goes by the names of what is found.
      label_offset: the number of the first class, where the source has numbers.
      class_names_file: file with a class name a line, in the order of their numbers; empty for
        none.

    Raises:
      InputError: it is not plain what is there, or the file of class names is not usable.
    """
    if data_format == AUTO:
        data_format = _found_format(path)
    names = read_class_names(class_names_file, label_offset)
    return _SOURCES[data_format](path=path, class_names=names)


def _found_format(path: str) -> str:
    if path.lower().endswith(ENDINGS):
        return ManifestSource.format
    if "*" in path:
        return _only(path, _speaking_for([file.name for file in matching_files(path)]))
    if storage.is_file(path):
        return _only(path, _speaking_for([path]))
    return _only(path, _found_in_folder(path))


def _found_in_folder(path: str) -> dict[str, str]:
    """What is found, by the format that it speaks for."""
    try:
        tree = listing.open_tree(path)
        top = tree.list_folder()
    except FileNotFoundError:
        seen_from = "" if storage.is_remote(path) else f", seen from {os.getcwd()}"
        raise InputError(
            f"data.path must be a folder, a file or a pattern of files that exist. "
            f"Received: {path!r} (nothing there{seen_from})"
        ) from None
    except OSError as error:
        raise InputError(
            f"data.path must be readable. Received: {path}: {error.strerror or error}"
        ) from None
    names = [file.name for file in top.files]
    classes = 0
    for name in top.folders:
        inner = tree.list_folder(name) if split_of_folder(name) else None
        if inner is None or inner.folders:
            classes += 1
        if inner is not None:
            names += [file.name for file in inner.files]
    found = _speaking_for(names)
    # Without anything else, a folder is an image folder, which says what it lacks.
    if classes or not found:
        found[FolderSource.format] = f"{classes} sub-folders"
    return found


def _speaking_for(names: list[str]) -> dict[str, str]:
    """What is found, by the kind of containers that it speaks for."""
    found = {}
    for source in _CONTAINERS:
        containers = [name for name in names if source.is_container(name)]
        if containers:
            found[source.format] = f"{len(containers)} such as {containers[0]!r}"
    return found


def _only(path: str, found: dict[str, str]) -> str:
    if len(found) == 1:
        return next(iter(found))
    told = ", ".join(f"{name} ({what})" for name, what in found.items())
    raise InputError(
        f"data.format must be set where it is not plain, to one of "
        f"{', '.join(FORMATS[1:])}. Received: {path}, which could be {told or 'none of them'}"
    )
