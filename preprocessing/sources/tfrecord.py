"""TFRecords in the ImageNet layout, and in that of TensorFlow Datasets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, ClassVar

from google.protobuf.message import DecodeError

from preprocessing import features
from preprocessing.files import tfrecord
from preprocessing.problems import DAMAGED_RECORD, NO_SINGLE_IMAGE, UNREADABLE, Problem
from preprocessing.sources import storage
from preprocessing.sources.base import Content, Item
from preprocessing.sources.containers import Container, ContainerSource
from preprocessing.sources.remarks import Remarks

# Keys under which records have the file and its class; of several, the first.
IMAGE_KEYS = (features.ENCODED, "image", "image_raw", "encoded")
LABEL_KEYS = (features.LABEL, "label", "class")
CLASS_TEXT_KEYS = (features.CLASS_TEXT, "label_text", "class_name")
_SHOWN_KEYS = 8


@dataclass(frozen=True)
class TFRecordSource(ContainerSource):
    """Records of `tf.train.Example` with an image and its class, as number, text or both.

    Keys are those of the ImageNet layout (`image/encoded`, `image/class/label`,
    `image/class/text`), or of TensorFlow Datasets and the like (`image`, `label`).

    A record whose checksum is wrong is an image that cannot be used; where the lengths of
    records are wrong, the file is refused. Features `image/column/NAME` are kept.

    The URI of an image is the file and the record's number in it, from 0: `train-00001#17`.
    """

    format: ClassVar[str] = "tfrecord"
    name_pattern: ClassVar[str] = r"-\d+-of-\d+$|\.tfrecords?\b|\.tfrec\b|-\d+-of-\d+\.gz$"

    def members(
        self, container: Container, local_path: str, file: BinaryIO, remarks: Remarks
    ) -> Iterator[Item]:
        """See `ContainerSource`."""
        num_bytes = file.seek(0, 2)
        for number, (offset, length, _) in enumerate(tfrecord.record_spans(file, num_bytes)):
            yield Item(
                uri=f"{container.file.name}#{number}",
                class_text=None,
                split=container.split,
                num_bytes=length,
                file=local_path,
                offset=offset,
                length=length,
            )

    def read(self, item: Item) -> Content:
        """See `Source`."""
        # Imports TensorFlow, which a survey need not wait for.
        from preprocessing.files import records

        num_bytes = (item.length or 0) + tfrecord.FOOTER_BYTES
        try:
            body = storage.read_range(item.file, item.offset, num_bytes)
        except storage.ReadError as error:
            return Content(b"", "", Problem(UNREADABLE, str(error)), {})
        record = tfrecord.checked_record(body)
        if record is None:
            detail = f"its checksum is wrong, at byte {item.offset}"
            return Content(b"", "", Problem(DAMAGED_RECORD, detail), {})
        try:
            values = records.parse_record(record)
        except DecodeError as error:
            detail = f"no tf.train.Example: {' '.join(str(error).split())}"
            return Content(b"", "", Problem(DAMAGED_RECORD, detail), {})
        return self._content(values)

    def _content(self, values: Mapping[str, bytes | int | float]) -> Content:
        data = _first(values, IMAGE_KEYS, bytes)
        label = _first(values, LABEL_KEYS, int)
        number = _first(values, LABEL_KEYS, float)
        if label is None and number is not None and number.is_integer():
            label = int(number)
        text = _text(_first(values, CLASS_TEXT_KEYS, bytes) or b"")
        if label is None and not text:
            text = _text(_first(values, LABEL_KEYS, bytes) or b"")
        class_text, problem = self.class_names.resolve(text, label)
        columns = {
            key.removeprefix(features.COLUMN_PREFIX): _text(value)
            for key, value in values.items()
            if key.startswith(features.COLUMN_PREFIX)
        }
        if problem is not None and label is None and not text:
            problem = problem._replace(detail=f"no {' or '.join(LABEL_KEYS[:2])} {_keys(values)}")
        if data is None:
            problem = Problem(NO_SINGLE_IMAGE, f"no {' or '.join(IMAGE_KEYS[:2])} {_keys(values)}")
        return Content(data or b"", class_text, problem, columns, label)


def _first(values: Mapping[str, bytes | int | float], keys: tuple[str, ...], kind: type):
    return next((values[key] for key in keys if isinstance(values.get(key), kind)), None)


def _keys(values: Mapping[str, bytes | int | float]) -> str:
    """Which keys there are instead."""
    names = sorted(values)
    more = ", ..." if len(names) > _SHOWN_KEYS else ""
    return f"in a record with {', '.join(names[:_SHOWN_KEYS]) or 'no keys'}{more}"


def _text(value: bytes | int | float) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
