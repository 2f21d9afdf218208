"""Parquet files with pictures in them, as datasets of Hugging Face are."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from preprocessing import features
from preprocessing.errors import InputError
from preprocessing.problems import NO_CLASS, NO_SINGLE_IMAGE, Problem
from preprocessing.sources import parquet_layout, storage
from preprocessing.sources.base import (
    ASSUMED_IMAGE_BYTES,
    MAX_IMAGE_BYTES,
    Content,
    Source,
    Survey,
)
from preprocessing.sources.containers import Container
from preprocessing.sources.parquet_layout import Layout
from preprocessing.sources.remarks import Remarks
from preprocessing.sources.tfrecord import TFRecordSource

# Rows that are in memory at once; a picture takes about 100 kB.
_ROWS = 64


@dataclass(frozen=True)
class ParquetSource(TFRecordSource):
    """One image per row: a struct `{bytes, path}` or bytes, and its class, as number or text.

    Which columns these are, and the names of the classes, is what Hugging Face writes into the
    file or beside it; without that, the columns are `image` (or the only one like it) and `label`.
    Other columns of numbers and texts are kept.

    A row cannot be read without those around it, so the files are first made into TFRecords, which
    take as much room as the pictures.

    The URI of an image is the file and the row's number, from 0: `train-00000.parquet#17`.

    Attributes:
      label_column: the column with the classes; empty: it is found out.
    """

    label_column: str = ""
    format: ClassVar[str] = "parquet"
    name_pattern: ClassVar[str] = r"\.parquet$"
    inner_folders: ClassVar[tuple[str, ...]] = ("data",)

    def survey(self, limit: int) -> Survey:
        """See `Source`."""
        del limit
        remarks = Remarks()
        self._remark(remarks)
        num_images, classes = 0, None
        for container in self.containers:
            if storage.is_remote(container.file.name):
                num_images += max(1, container.file.num_bytes // ASSUMED_IMAGE_BYTES)
                continue
            layout = self._layout(container)
            num_images += layout.num_rows
            classes = len(layout.class_names) or classes
        return Survey(num_images, classes, tuple(remarks.lines()))

    def fetched(self, folder: Path, make_pipeline: Callable[[], Any]) -> Source:
        """See `Source`."""
        for container in self.containers:
            self._layout(container)  # before any is read
        return super().fetched(folder, make_pipeline)

    def needs_fetching(self, container: Container) -> bool:
        """See `ContainerSource`."""
        del container
        return True

    def unpack(self, name: str, target: str) -> None:
        """See `ContainerSource`."""
        from preprocessing.files import records  # imports TensorFlow

        with storage.open_file(name) as file, records.record_writer(target) as writer:
            parquet, layout = parquet_layout.open_parquet(file, name, self.label_column)
            for batch in parquet.iter_batches(_ROWS, columns=list(layout.columns)):
                for row in batch.to_pylist():
                    writer.write(records.make_record(self._values(row, layout, name)))

    def _layout(self, container: Container) -> Layout:
        name = container.file.name
        try:
            with storage.open_file(name) as file:
                layout = parquet_layout.open_parquet(file, name, self.label_column)[1]
        except InputError:
            raise
        except Exception as error:  # pyarrow's, and those of clients of remote filesystems
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(
                f"a container of data must be a whole Parquet file; replace or remove it. "
                f"Received: {name}: {reason}"
            ) from None
        if not self.class_names.names:
            parquet_layout.check_names(layout, name)
        return layout

    def _values(self, row: Mapping[str, Any], layout: Layout, name: str) -> dict[str, Any]:
        values, problem = self._class_values(row[layout.label], layout)
        try:
            values[features.ENCODED] = _image_bytes(row[layout.image], layout.image, name)
        except _NoImageError as error:
            problem = error.problem
        if problem is not None:
            values[features.PROBLEM] = problem.reason.encode()
            values[features.PROBLEM_DETAIL] = problem.detail.encode(errors="backslashreplace")
        for column in layout.kept:
            text = _column_text(row[column])
            if text:
                values[features.COLUMN_PREFIX + column] = text
        return values

    def _class_values(self, label: Any, layout: Layout) -> tuple[dict[str, Any], Problem | None]:
        """The values of a label, and why it is no class, as far as the file itself tells."""
        if isinstance(label, bool) or (isinstance(label, float) and label.is_integer()):
            label = int(label)
        if label is None or label != label:  # not a number
            return {}, Problem(NO_CLASS, f"no {layout.label}")
        if not isinstance(label, int):
            return {features.CLASS_TEXT: str(label).encode(errors="backslashreplace")}, None
        names = layout.class_names if not self.class_names.names else ()
        if not names:
            return {features.LABEL: label}, None
        if not 0 <= label < len(names):
            detail = f"{layout.label} {label} is outside of 0 to {len(names) - 1}"
            return {}, Problem(NO_CLASS, detail)
        return {features.LABEL: label, features.CLASS_TEXT: names[label].encode()}, None

    def _content(self, values: Mapping[str, bytes | int | float]) -> Content:
        """See `TFRecordSource`; what was wrong with the row is in its record."""
        content = super()._content(values)
        if features.PROBLEM not in values:
            return content
        detail = values.get(features.PROBLEM_DETAIL, b"").decode()
        problem = Problem(values[features.PROBLEM].decode(), detail)
        return dataclasses.replace(content, problem=problem)


class _NoImageError(Exception):
    def __init__(self, problem: Problem):
        super().__init__(str(problem))
        self.problem = problem


def _image_bytes(value: Any, column: str, name: str) -> bytes:
    """The picture of a row; one that only has a path is looked for beside the Parquet file."""
    data, path = (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (value, "")
    if data is not None:
        return data
    if not path:
        raise _NoImageError(Problem(NO_SINGLE_IMAGE, f"no {column}"))
    try:
        return storage.read_file(storage.join(name.rpartition("/")[0], path), MAX_IMAGE_BYTES)
    except storage.ReadError as error:
        raise _NoImageError(Problem(NO_SINGLE_IMAGE, f"{path}: {error}")) from None


def _column_text(value: Any) -> bytes:
    if value is None:
        return b""
    if isinstance(value, bool):
        value = str(value).lower()
    return str(value).replace("\0", "").encode(errors="backslashreplace")
