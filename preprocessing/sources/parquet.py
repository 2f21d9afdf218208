"""Parquet files with pictures in them, as datasets of Hugging Face are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from preprocessing import features
from preprocessing.errors import InputError
from preprocessing.sources import parquet_layout, storage
from preprocessing.sources.base import ASSUMED_IMAGE_BYTES, MAX_IMAGE_BYTES, Source, Survey
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
        values: dict[str, Any] = {}
        data = _image_bytes(row[layout.image], name)
        if data is not None:
            values[features.ENCODED] = data
        label = row[layout.label]
        if isinstance(label, bool):
            label = int(label)
        if isinstance(label, int):
            values[features.LABEL] = label
            if not self.class_names.names and 0 <= label < len(layout.class_names):
                values[features.CLASS_TEXT] = layout.class_names[label].encode()
        elif label is not None:
            values[features.CLASS_TEXT] = str(label).encode(errors="backslashreplace")
        for column in layout.kept:
            text = _column_text(row[column])
            if text:
                values[features.COLUMN_PREFIX + column] = text
        return values


def _image_bytes(value: Any, name: str) -> bytes | None:
    """The picture of a row; one that only has a path is looked for beside the Parquet file."""
    if not isinstance(value, dict):
        return value
    if value.get("bytes") is not None or not value.get("path"):
        return value.get("bytes")
    path = storage.join(name.rpartition("/")[0], value["path"])
    try:
        return storage.read_file(path, MAX_IMAGE_BYTES)
    except storage.ReadError:
        return None


def _column_text(value: Any) -> bytes:
    if value is None:
        return b""
    if isinstance(value, bool):
        value = str(value).lower()
    return str(value).replace("\0", "").encode(errors="backslashreplace")
