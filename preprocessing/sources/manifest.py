"""A manifest: a table with one row per image, as CSV, TSV or JSON lines."""

import csv
import io
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from preprocessing.errors import InputError
from preprocessing.sources import storage
from preprocessing.sources.base import ASSUMED_IMAGE_BYTES, Item, Source, Survey
from preprocessing.sources.class_names import ClassNames, is_class_text
from preprocessing.sources.splits import KNOWN_NAMES, split_named

PATH, LABEL, SPLIT = "path", "label", "split"
ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson")


@dataclass(frozen=True)
class ManifestSource(Source):
    """See the module.

    The columns `path` and `label` must be there, `split` may be; all others are kept as text.
    A path is relative to the manifest, absolute, or a URI. A row is an image: rows with the same
    path are copies. A row whose file is missing is an image that cannot be read; a row that
    makes no sense is refused, with its number.

    Sizes and times of local images belong to the fingerprint. Remote images are not asked for
    them one by one: of those, the manifest's rows alone decide.

    Attributes:
      path: the manifest.
      class_names: see `Source`.
    """

    path: str
    class_names: ClassNames = field(default_factory=ClassNames)
    format: ClassVar[str] = "manifest"

    def files(self) -> Iterator[storage.StoredFile]:
        """See `Source`."""
        yield storage.file_at(self.path)
        for _, file in self._images():
            if file is not None:
                yield file

    def items(self) -> Iterator[Item]:
        """See `Source`."""
        for item, _ in self._images():
            yield item

    def survey(self, limit: int) -> Survey:
        """See `Source`."""
        classes: set[str | None] = set()
        count = 0
        for count, item in enumerate(self.items(), start=1):
            classes.add(item.class_text)
            if count >= limit:
                return Survey(count, None)
        return Survey(count, len(classes - {""}))

    def _images(self) -> Iterator[tuple[Item, storage.StoredFile | None]]:
        """(item, its file) of every row; a remote file is not looked at, and is None."""
        folder = self.path.rpartition("/")[0] or ("/" if self.path.startswith("/") else "")
        classes: set[str] = set()
        for place, row in self._rows():
            item, file = self._image(row, folder, place)
            if len(classes) < 2 and item.class_text:
                classes.add(item.class_text)
            yield item, file
        if len(classes) < 2:
            raise InputError(
                f"a manifest must have images of at least two classes. Received: {self.path} with "
                f"{', '.join(map(repr, sorted(classes))) or 'none'}"
            )

    def _image(
        self, row: dict[str, Any], folder: str, place: str
    ) -> tuple[Item, storage.StoredFile | None]:
        values = {name: self._text(name, value, place) for name, value in row.items()}
        for name in (PATH, LABEL):
            if not values.get(name):
                raise self._error(place, f"has no {name}")
        uri = storage.join(folder, values.pop(PATH))
        label, split = values.pop(LABEL), values.pop(SPLIT, "")
        if not is_class_text(label):
            raise self._error(place, f"has the label {label!r}, which is no printable text")
        if split and split_named(split) is None:
            known = ", ".join(KNOWN_NAMES)
            raise self._error(place, f"has the split {split!r}, which is none of {known}")
        class_text, error = self.class_names.resolve(label, None)
        file = None if storage.is_remote(uri) else storage.file_at(uri)
        item = Item(
            uri=uri,
            class_text=class_text,
            split=split_named(split),
            num_bytes=ASSUMED_IMAGE_BYTES if file is None else file.num_bytes,
            error=error,
            columns={name: value for name, value in values.items() if value},
        )
        return item, file

    def _text(self, name: str, value: Any, place: str) -> str:
        if value is None:
            return ""
        if isinstance(value, bool | int | float):
            value = json.dumps(value)  # `true`, not Python's `True`
        if not isinstance(value, str):
            raise self._error(place, f"has a {type(value).__name__} in {name!r}, not a text")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise self._error(place, f"has in {name!r} what is no text: {value!r}") from None
        if "\0" in value:
            raise self._error(place, f"has a zero byte in {name!r}")
        return value

    def _rows(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(where, values by column) of every row."""
        try:
            with storage.open_file(self.path) as file:
                as_json = self.path.lower().endswith((".jsonl", ".ndjson"))
                # csv has to see the ends of lines as they are, some are within a field.
                newline = "\n" if as_json else ""
                lines = io.TextIOWrapper(file, encoding="utf-8-sig", newline=newline)
                yield from self._json_rows(lines) if as_json else self._csv_rows(lines)
        except UnicodeDecodeError:
            raise InputError(f"a manifest must be UTF-8 text. Received: {self.path}") from None
        except OSError as error:
            raise InputError(
                f"a manifest must be a readable file. Received: {self.path}: "
                f"{error.strerror or error}"
            ) from None

    def _csv_rows(self, lines: io.TextIOWrapper) -> Iterator[tuple[str, dict[str, Any]]]:
        delimiter = "\t" if self.path.lower().endswith(".tsv") else ","
        # strict: a quote that is not closed must not swallow the rows after it.
        table = csv.reader(lines, delimiter=delimiter, strict=True)
        header: list[str] = []
        for number in itertools.count(1):
            try:
                row = next(table)
            except StopIteration:
                break
            except csv.Error as error:
                raise self._error(f"row {number}", f"is no CSV: {error}") from None
            if not header:
                header = row
                self._check_columns(header)
            elif row:
                if len(row) != len(header):
                    raise self._error(
                        f"row {number}", f"has {len(row)} fields, the header has {len(header)}"
                    )
                yield f"row {number}", dict(zip(header, row, strict=True))
        if not header:
            self._check_columns(header)

    def _json_rows(self, lines: io.TextIOWrapper) -> Iterator[tuple[str, dict[str, Any]]]:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise self._error(f"row {number}", f"is no JSON: {error}") from None
            if not isinstance(row, dict):
                raise self._error(f"row {number}", "is no JSON object")
            if not all(map(is_class_text, row)):
                raise self._error(f"row {number}", "has a name that is no printable text")
            yield f"row {number}", row

    def _check_columns(self, header: list[str]) -> None:
        wrong = [name for name in header if not is_class_text(name) or header.count(name) > 1]
        if wrong or not {PATH, LABEL} <= set(header):
            raise InputError(
                f"a manifest's first row must name its columns, all different, among them "
                f"{PATH!r} and {LABEL!r}. Received: {', '.join(map(repr, header)) or 'nothing'} "
                f"in {self.path}"
            )

    def _error(self, place: str, problem: str) -> InputError:
        return InputError(
            f"each row of a manifest must have a path, a label and values of text. "
            f"Received: {place} of {self.path} {problem}"
        )
