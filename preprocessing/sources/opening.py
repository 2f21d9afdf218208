"""Which kind of source a path is."""

import os

from preprocessing.errors import InputError
from preprocessing.sources import folder, listing, storage, tables
from preprocessing.sources.base import Source
from preprocessing.sources.class_names import read_class_names
from preprocessing.sources.containers import split_of_folder
from preprocessing.sources.folder import FolderSource
from preprocessing.sources.manifest import ManifestSource
from preprocessing.sources.parquet import ParquetSource
from preprocessing.sources.tfrecord import TFRecordSource
from preprocessing.sources.webdataset import WebDatasetSource

AUTO = "auto"
_SOURCES = {
    source.format: source
    for source in (FolderSource, ManifestSource, TFRecordSource, WebDatasetSource, ParquetSource)
}
FORMATS = (AUTO, *_SOURCES)
_CONTAINERS = (TFRecordSource, WebDatasetSource, ParquetSource)


def open_source(
    path: str,
    *,
    data_format: str = AUTO,
    label_offset: int = 0,
    class_names_file: str = "",
    label_column: str = "",
    nested: str = folder.CLASS_IS_TOP,
) -> Source:
    """Makes the source of a path.

    Args:
      path: a folder, a file, or for containers a pattern with `*` or `?`; local or a URI. Spans
        are resolved already (see `spans.resolve`).
      data_format: one of `FORMATS`; `auto` goes by the names of what is found.
      label_offset: the number of the first class, where the source has numbers.
      class_names_file: file with one class name per line, in the order of their numbers; empty
        for none.
      label_column: the column with the classes, of a manifest or Parquet file; empty: `label`, or
        what is like it.
      nested: what becomes of folders within a class folder; see `FolderSource`.

    Raises:
      InputError: it is not plain what is there, or the file of class names is not usable.
    """
    found = _found_format(path, label_column) if data_format == AUTO else data_format
    options = {"class_names": read_class_names(class_names_file, label_offset)}
    if found == FolderSource.format:
        options |= {"nested": nested, "split_names_allowed": data_format != AUTO}
    if label_column and found not in (ManifestSource.format, ParquetSource.format):
        raise InputError(
            f"data.label_column is of manifests and Parquet files. Received: {label_column!r}, "
            f"and {path}, which is a {found}"
        )
    if label_column:
        options["label_column"] = label_column
    return _SOURCES[found](path=path, **options)


def _found_format(path: str, label_column: str) -> str:
    if storage.has_wildcards(path):
        names = [file.name for file in storage.matching_files(path)]
        return _only(path, _formats_of_files(names))
    if path.lower().endswith(tables.ENDINGS):
        return ManifestSource.format
    if storage.is_file(path):
        return _only(path, _formats_of_files([path]))
    return _only(path, _formats_of_folder(path, label_column))


def _formats_of_folder(path: str, label_column: str) -> dict[str, str]:
    """What a folder may be: by format, why."""
    try:
        tree = listing.open_tree(path)
        top = tree.list_folder()
    except FileNotFoundError:
        where = "" if storage.is_remote(path) else f"; the current directory is {os.getcwd()}"
        raise InputError(
            f"data.path must be a folder, a file or a pattern of files that exist. "
            f"Received: {path!r} (nothing there{where})"
        ) from None
    except OSError as error:
        raise InputError(
            f"data.path must be readable. Received: {path}: {error.strerror or error}"
        ) from None
    label = label_column or tables.LABEL
    if any(label in tables.columns(table) for table, _ in tables.metadata_files(path)):
        return {ManifestSource.format: "metadata files with labels"}
    names = [file.name for file in top.files]
    classes = 0
    for name in top.folders:
        is_split, is_inner = split_of_folder(name), name in ParquetSource.inner_folders
        inner = tree.list_folder(name) if is_split or is_inner else None
        files = [file.name for file in inner.files] if inner is not None else []
        if is_inner:
            files = list(filter(ParquetSource.is_container, files))
        names += files
        if not (files or is_split) or (is_split and inner.folders):
            classes += 1
    found = _formats_of_files(names)
    # Without anything else, a folder is an image folder, which says what it lacks.
    if classes or not found:
        found[FolderSource.format] = f"{classes} sub-folders"
    return found


def _formats_of_files(names: list[str]) -> dict[str, str]:
    """The kinds of containers that files are: by format, how many and which."""
    found = {}
    for source in _CONTAINERS:
        containers = [name for name in names if source.is_container(name)]
        if containers:
            found[source.format] = f"{len(containers)} such as {containers[0]!r}"
    return found


def _only(path: str, found: dict[str, str]) -> str:
    if len(found) == 1:
        return next(iter(found))
    listed = ", ".join(f"{name} ({why})" for name, why in found.items())
    raise InputError(
        f"data.format must be set where it is not plain, to one of "
        f"{', '.join(FORMATS[1:])}. Received: {path}, which could be {listed or 'none of them'}"
    )
