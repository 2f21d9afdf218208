"""A manifest: a table with one row per image, as CSV, TSV or JSON lines."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from preprocessing.errors import InputError
from preprocessing.problems import UNREADABLE, Problem, ProblemCounts
from preprocessing.sources import storage, tables
from preprocessing.sources.base import ASSUMED_IMAGE_BYTES, Item, Source, Survey
from preprocessing.sources.class_names import ClassNames, is_class_text
from preprocessing.sources.remarks import Remarks
from preprocessing.sources.splits import KNOWN_NAMES, split_named
from preprocessing.sources.tables import LABEL, PATHS, SPLIT

# Schemes of URIs that people write into tables, and that no filesystem of ours reads.
_WEB = re.compile(r"(https?|ftp)://", re.IGNORECASE)


@dataclass(frozen=True)
class ManifestSource(Source):
    """See the module.

    The columns `path` (or `file_name`) and `label` must be there, `split` may be; all others are
    kept as text. A path is relative to the manifest, absolute, or a URI. Each row is an image:
    rows with the same path are copies. A row whose file is missing is an image that cannot be
    read; a row that makes no sense is refused, with its number.

    The manifest may also be a folder that holds `metadata.csv` or `metadata.jsonl`, itself or in
    its folders of splits, as image folders of Hugging Face do.

    Sizes and times of local images belong to the fingerprint. Remote images are not asked for
    them one by one: of those, the manifest's rows alone decide.

    Attributes:
      path: the manifest, or a folder with metadata files.
      class_names: see `Source`.
      label_column: the column with the classes.
    """

    path: str
    class_names: ClassNames = field(default_factory=ClassNames)
    label_column: str = LABEL
    format: ClassVar[str] = "manifest"

    def files(self) -> Iterator[storage.StoredFile]:
        """See `Source`."""
        for table, _ in self._tables():
            yield storage.file_at(table)
        for _, file in self._images():
            if file is not None:
                yield file

    def items(self, remarks: Remarks | None = None) -> Iterator[Item]:
        """See `Source`."""
        del remarks  # a table has nothing beside its rows
        for item, _ in self._images():
            yield item

    def survey(self, limit: int) -> Survey:
        """See `Source`."""
        classes: set[str | None] = set()
        problems = ProblemCounts()
        count = 0
        for count, (item, file) in enumerate(self._images(), start=1):
            problem = item.problem
            if problem is None and file is not None and file.error:
                problem = Problem(UNREADABLE, file.error)
            if problem is not None:
                problems.add(item.uri, problem)
            classes.add(item.class_text)
            if count >= limit:
                return Survey(count, None, problems=problems)
        return Survey(count, len(classes - {""}), problems=problems)

    def advice(self, unusable: Sequence[str]) -> str:
        """See `Source`."""
        folders = {_folder_of(table) for table, _ in self._tables()}
        for uri in unusable:
            if _WEB.match(uri):
                return "download the files, and name them by their local paths"
            name = next((uri.removeprefix(f"{f}/") for f in folders if uri.startswith(f)), uri)
            if "\\" in name:
                return "on this machine, folders are separated by / and not by \\"
            if name.startswith("~"):
                return "only a shell knows what ~ means; write the whole path"
            if not os.path.isabs(name) and os.path.exists(name):
                return (
                    f"relative paths are resolved against the manifest's folder, and these files "
                    f"are in the current directory, {os.getcwd()}"
                )
        return f"relative paths are resolved against the manifest's folder, {min(folders) or '.'}"

    def _tables(self) -> list[tuple[str, str | None]]:
        """(table, split) of each file with rows."""
        if storage.is_remote(self.path):
            is_folder = not storage.is_file(self.path)
        else:
            is_folder = os.path.isdir(self.path)
        return tables.metadata_files(self.path) if is_folder else [(self.path, None)]

    def _images(self) -> Iterator[tuple[Item, storage.StoredFile | None]]:
        """(item, its file) of every row; a remote file is not looked at, and is None."""
        classes: set[str] = set()
        for table, split in self._tables():
            for row in tables.rows(table, self.label_column):
                item, file = self._image(row, _folder_of(table), split)
                if len(classes) < 2 and item.class_text:
                    classes.add(item.class_text)
                yield item, file
        if len(classes) < 2:
            raise InputError(
                f"a manifest must have images of at least two classes. Received: {self.path} with "
                f"{', '.join(map(repr, sorted(classes))) or 'none'}"
            )

    def _image(
        self, row: tables.Row, folder: str, split_of_table: str | None
    ) -> tuple[Item, storage.StoredFile | None]:
        values = {name: _text(row, name, value) for name, value in row.values.items()}
        path_column = next((name for name in PATHS if values.get(name)), None)
        if path_column is None or not values.get(self.label_column):
            raise row.error(f"has no {PATHS[0] if path_column is None else self.label_column}")
        path = values.pop(path_column)
        label, split = values.pop(self.label_column), values.pop(SPLIT, "")
        if not is_class_text(label):
            raise row.error(f"has the label {label!r}, which is no printable text")
        if split and split_named(split) is None:
            known = ", ".join(KNOWN_NAMES)
            raise row.error(f"has the split {split!r}, which is none of {known}")
        class_text, problem = self.class_names.resolve(label, None)
        uri, file = path, None
        if _WEB.match(path):
            problem = Problem(UNREADABLE, "files of web servers are not read")
        else:
            try:
                uri = storage.join(folder, storage.local_path(path))
            except ValueError as error:
                problem = Problem(UNREADABLE, str(error))
            else:
                file = None if storage.is_remote(uri) else storage.file_at(uri)
        item = Item(
            uri=uri,
            class_text=class_text,
            split=split_named(split) or split_of_table,
            num_bytes=ASSUMED_IMAGE_BYTES if file is None else file.num_bytes,
            problem=problem,
            columns={name: value for name, value in values.items() if value},
        )
        return item, file


def _folder_of(table: str) -> str:
    return table.rpartition("/")[0] or ("/" if table.startswith("/") else "")


def _text(row: tables.Row, name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        value = tables.number_text(value)
    if not isinstance(value, str):
        raise row.error(f"has a {type(value).__name__} in {name!r}, not a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise row.error(f"has in {name!r} what is no text: {value!r}") from None
    if "\0" in value:
        raise row.error(f"has a zero byte in {name!r}")
    return value
