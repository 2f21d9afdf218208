"""TFRecords in the ImageNet layout."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, ClassVar

from google.protobuf.message import DecodeError

from preprocessing import features
from preprocessing.files import tfrecord
from preprocessing.sources import storage
from preprocessing.sources.base import Content, Item
from preprocessing.sources.containers import Container, ContainerSource


@dataclass(frozen=True)
class TFRecordSource(ContainerSource):
    """Records of `tf.train.Example` with an image and its class, as number, text or both.

    A record whose checksum is wrong is an image that cannot be used; where the lengths of
    records are wrong, the file is refused. Features `image/column/NAME` are kept.

    The URI of an image is the file and the record's place in it, from 0: `train-00001#17`.
    """

    format: ClassVar[str] = "tfrecord"
    name_pattern: ClassVar[str] = r"-\d+-of-\d+$|\.tfrecords?\b|\.tfrec\b|-\d+-of-\d+\.gz$"

    def members(self, container: Container, place: str, file: BinaryIO) -> Iterator[Item]:
        """See `ContainerSource`."""
        num_bytes = file.seek(0, 2)
        for number, (offset, length, _) in enumerate(tfrecord.record_spans(file, num_bytes)):
            yield Item(
                uri=f"{container.file.name}#{number}",
                class_text=None,
                split=container.split,
                num_bytes=length,
                place=place,
                offset=offset,
                length=length,
            )

    def read(self, item: Item) -> Content:
        """See `Source`."""
        from preprocessing.files import (
            records,  # imports TensorFlow, which a survey need not wait for
        )

        try:
            body = storage.read_range(
                item.place, item.offset, (item.length or 0) + tfrecord.FOOTER_BYTES
            )
        except storage.ReadError as error:
            return Content(b"", "", str(error), {})
        record = tfrecord.checked_record(body)
        if record is None:
            return Content(b"", "", f"the record's checksum is wrong, at byte {item.offset}", {})
        try:
            values = records.parse_record(record)
        except DecodeError as error:
            return Content(b"", "", f"no tf.train.Example: {' '.join(str(error).split())}", {})
        return self._content(values)

    def _content(self, values: dict[str, bytes | int | float]) -> Content:
        data, label = values.get(features.ENCODED), values.get(features.LABEL)
        text = _text(values.get(features.CLASS_TEXT, b""))
        class_text, error = self.class_names.resolve(
            text, label if isinstance(label, int) else None
        )
        columns = {
            key.removeprefix(features.COLUMN_PREFIX): _text(value)
            for key, value in values.items()
            if key.startswith(features.COLUMN_PREFIX)
        }
        if not isinstance(data, bytes):
            return Content(b"", class_text, f"no {features.ENCODED} in the record", columns)
        return Content(b"" if error else data, class_text, error, columns)


def _text(value: bytes | int | float) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
