"""Tables of images as files: CSV, TSV and JSON lines, row by row."""

import contextlib
import csv
import io
import itertools
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from preprocessing.errors import InputError
from preprocessing.sources import listing, storage
from preprocessing.sources.class_names import is_class_text
from preprocessing.sources.splits import split_named

# Columns; of the first, whichever is there.
PATHS, LABEL, SPLIT = ("path", "file_name"), "label", "split"
_JSON_ENDINGS = (".jsonl", ".ndjson")
ENDINGS = (".csv", ".tsv", *_JSON_ENDINGS)
# As image folders of Hugging Face call them.
METADATA_FILES = ("metadata.csv", "metadata.jsonl")
# Python's own limit of a CSV field is 128 kB, which lists of boxes and the like exceed. The csv
# module has one limit for a process; this one is as large as it takes.
_MAX_FIELD_CHARS = min(sys.maxsize, 2**31 - 1)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table.

    Attributes:
      table: path of the table.
      number: of the row, from 1; that of the header counts.
      values: by column.
    """

    table: str
    number: int
    values: dict[str, Any]

    def error(self, problem: str) -> InputError:
        """The error of a row that makes no sense."""
        return _row_error(self.table, self.number, problem)


def rows(table: str, label: str = LABEL) -> Iterator[Row]:
    """Yields the rows of a table.

    Args:
      table: path of the table.
      label: name of the column with the classes.

    Raises:
      InputError: it cannot be read, or a row is none.
    """
    with _lines(table) as lines:
        as_json = table.lower().endswith(_JSON_ENDINGS)
        yield from _json_rows(table, lines) if as_json else _csv_rows(table, lines, label)


def columns(table: str) -> set[str]:
    """The columns of a table, as its first row names them; empty where it has none.

    Raises:
      InputError: it cannot be read.
    """
    with _lines(table) as lines:
        if table.lower().endswith(_JSON_ENDINGS):
            first = next(_json_rows(table, lines), None)
            return set(first.values) if first is not None else set()
        return set(next(_csv_reader(table, lines), ()))


def metadata_files(folder: str) -> list[tuple[str, str | None]]:
    """(path, split) of each metadata file of a folder and of its folders of splits.

    Raises:
      InputError: the folder cannot be read, or has two of them beside each other.
    """
    found = []
    try:
        tree = listing.open_tree(folder)
        inner = [(name, split_named(name)) for name in tree.list_folder().folders]
        for name, split in (("", None), *(one for one in inner if one[1])):
            files = [f.name for f in tree.list_folder(name).files if f.name in METADATA_FILES]
            if len(files) > 1:
                raise InputError(
                    f"a folder may have one metadata file. Received: {' and '.join(files)} in "
                    f"{storage.join(folder, name)}"
                )
            prefix = f"{name}/" if name else ""
            found += [(storage.join(folder, f"{prefix}{file}"), split) for file in files]
    except OSError as error:
        raise InputError(
            f"data.path must be readable. Received: {folder}: {error.strerror or error}"
        ) from None
    return found


def number_text(value: bool | int | float) -> str:
    """A number or truth value as JSON has it: `true`, not Python's `True`."""
    return json.dumps(value)


@contextlib.contextmanager
def _lines(table: str) -> Iterator[io.TextIOWrapper]:
    """The lines of a table; what is wrong with the file itself is an InputError."""
    # csv has to see the ends of lines as they are, some are within a field.
    newline = "\n" if table.lower().endswith(_JSON_ENDINGS) else ""
    try:
        with storage.open_file(table) as file:
            yield io.TextIOWrapper(file, encoding="utf-8-sig", newline=newline)
    except UnicodeDecodeError:
        raise InputError(
            f"a manifest must be UTF-8 text. Received: {table}; save it as 'CSV UTF-8', or write "
            f"another file with `iconv -t UTF-8 -f` and its encoding, such as UTF-16"
        ) from None
    except OSError as error:
        raise InputError(
            f"a manifest must be a readable file. Received: {table}: {error.strerror or error}"
        ) from None


def _csv_rows(table: str, lines: io.TextIOWrapper, label: str) -> Iterator[Row]:
    csv.field_size_limit(_MAX_FIELD_CHARS)
    reader = _csv_reader(table, lines)
    header: list[str] = []
    for number in itertools.count(1):
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            raise _row_error(table, number, f"is no CSV: {error}") from None
        if not header:
            header = row
            _check_columns(table, header, label)
        elif row:
            if len(row) != len(header):
                raise _row_error(
                    table, number, f"has {len(row)} fields, the header has {len(header)}"
                )
            # A column without a name is the index that pandas writes.
            values = {name: v for name, v in zip(header, row, strict=True) if name}
            yield Row(table, number, values)
    if not header:
        _check_columns(table, header, label)


def _json_rows(table: str, lines: io.TextIOWrapper) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _row_error(table, number, f"is no JSON: {error}") from None
        if not isinstance(row, dict):
            raise _row_error(table, number, "is no JSON object")
        if not all(map(is_class_text, row)):
            raise _row_error(table, number, "has a name that is no printable text")
        yield Row(table, number, row)


def _csv_reader(table: str, lines: io.TextIOWrapper) -> Iterator[list[str]]:
    """The rows of a table, whose first line shows what stands between the columns.

    Spreadsheets write semicolons where the comma is in numbers, and tabs into a `.csv`, too.
    """
    first = lines.readline()
    usual = "\t" if table.lower().endswith(".tsv") else ","
    delimiter = next((mark for mark in (usual, *",;\t") if mark in first), usual)
    # strict: a quote that is not closed must not swallow the rows after it.
    return csv.reader(itertools.chain([first], lines), delimiter=delimiter, strict=True)


def _check_columns(table: str, header: list[str], label: str) -> None:
    named = [name for name in header if name]
    wrong = [name for name in named if not is_class_text(name) or named.count(name) > 1]
    if wrong or label not in named or not set(PATHS) & set(named):
        raise InputError(
            f"a manifest's first row must name its columns, all different, among them "
            f"{' or '.join(map(repr, PATHS))}, and {label!r}. "
            f"Received: {', '.join(map(repr, header)) or 'nothing'} in {table}"
        )


def _row_error(table: str, number: int, problem: str) -> InputError:
    return InputError(
        f"each row of a manifest must have a path, a label and values of text. "
        f"Received: row {number} of {table} {problem}"
    )
