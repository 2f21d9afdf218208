"""Tar shards in the WebDataset layout: `key.jpg` beside `key.cls`, `key.txt` or `key.json`."""

import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, ClassVar

from preprocessing.files.tfrecord import DamagedFileError
from preprocessing.sources import storage
from preprocessing.sources.base import Content, Item
from preprocessing.sources.class_names import is_class_text
from preprocessing.sources.containers import Container, ContainerSource

_IMAGE_ENDINGS = frozenset({"jpg", "jpeg", "png", "gif", "bmp", "webp", "img"})
_LABEL_ENDINGS = ("cls", "json", "txt")
_LABELS_IN_JSON = ("label", "cls", "class")
_MAX_LABEL_BYTES = 1_000_000
_BLOCK = 512


@dataclass
class _Sample:
    key: str
    images: list[tarfile.TarInfo] = field(default_factory=list)
    labels: dict[str, tarfile.TarInfo] = field(default_factory=dict)


@dataclass(frozen=True)
class WebDatasetSource(ContainerSource):
    """Consecutive members with the same name up to the first dot are a sample.

    The class is what `.cls` says, else `label`, `cls` or `class` in `.json`, else `.txt`, as
    number or text; the other values of `.json` are columns. A sample without a class, or with
    none or several images, is an image that cannot be used. Members with other endings are left
    out, as hidden ones are.

    The URI of an image is the shard and the member: `shard-001.tar#0017.jpg`.
    """

    format: ClassVar[str] = "webdataset"
    name_pattern: ClassVar[str] = r"\.(tar|tar\.gz|tgz)$"

    def members(self, container: Container, place: str, file: BinaryIO) -> Iterator[Item]:
        """See `ContainerSource`."""
        for sample in _samples(file):
            class_text, columns, error = "", {}, ""
            try:
                text, number, columns = _label(sample, file)
                class_text, error = self.class_names.resolve(text, number)
            except ValueError as problem:
                error = str(problem)
            if len(sample.images) != 1:
                error = f"a sample with {len(sample.images)} images"
            elif not sample.images[0].isreg() or sample.images[0].issparse():
                error = "not a regular file"
            member = sample.images[0] if sample.images else None
            yield Item(
                uri=f"{container.file.name}#{member.name if member else sample.key}",
                class_text=class_text,
                split=container.split,
                num_bytes=member.size if member else 0,
                place=place,
                offset=member.offset_data if member else 0,
                length=member.size if member else 0,
                error=error,
                columns=columns,
            )

    def read(self, item: Item) -> Content:
        """See `Source`."""
        data, error = b"", item.error
        if not error:
            try:
                data = storage.read_range(item.place, item.offset, item.length or 0)
            except storage.ReadError as failure:
                error = str(failure)
        return Content(data, item.class_text or "", error, item.columns)


def _samples(file: BinaryIO) -> Iterator[_Sample]:
    sample: _Sample | None = None
    for member in _tar_members(file):
        found = re.fullmatch(r"((?:.*/)?[^./]+)\.([^/]+)", member.name, re.DOTALL)
        if member.isdir() or not found:
            continue
        key, ending = found[1], found[2].lower()
        if sample is None or sample.key != key:
            if sample is not None and (sample.images or sample.labels):
                yield sample
            sample = _Sample(key)
        if ending.rpartition(".")[2] in _IMAGE_ENDINGS:
            sample.images.append(member)
        elif ending in _LABEL_ENDINGS:
            sample.labels[ending] = member
    if sample is not None and (sample.images or sample.labels):
        yield sample


def _tar_members(file: BinaryIO) -> Iterator[tarfile.TarInfo]:
    """The members, by their headers; the archive must be whole, its end included."""
    num_bytes = file.seek(0, 2)
    file.seek(0)
    whole = 0
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            while (member := archive.next()) is not None:
                yield member
                archive.members.clear()  # it keeps all of them otherwise
                whole = member.offset
            end = archive.offset
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise DamagedFileError(" ".join(str(error).split()), whole) from None
    # tarfile takes damage in the middle for the end, and stops without a word.
    file.seek(end)
    if file.read(_BLOCK) != bytes(_BLOCK):
        raise DamagedFileError("no end of the archive, or damaged", min(end, num_bytes))
    while rest := file.read(1 << 20):
        if rest.count(0) != len(rest):
            raise DamagedFileError("more data behind the end of the archive", end)


def _label(sample: _Sample, file: BinaryIO) -> tuple[str, int | None, dict[str, str]]:
    """(text, number, columns) of a sample; without a label, text is empty and number None.

    Raises:
      ValueError: the label's file makes no sense.
    """
    values = {}
    if "json" in sample.labels:
        values = json.loads(_content(sample.labels["json"], file))
        if not isinstance(values, dict):
            raise ValueError("its .json is no object")
    inner = next((values[name] for name in _LABELS_IN_JSON if values.get(name) is not None), None)
    columns = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
        if name not in _LABELS_IN_JSON and isinstance(value, str | int | float)
    }
    if not all(is_class_text(name) and _is_text(value) for name, value in columns.items()):
        raise ValueError("its .json has a name or a value that is no text")
    outer = sample.labels.get("cls") or (sample.labels.get("txt") if inner is None else None)
    label = _content(outer, file).strip() if outer else inner
    if isinstance(label, bool | float | list | dict):
        raise ValueError(f"its label is a {type(label).__name__}")
    if isinstance(label, str) and label.isdecimal() and label.isascii():
        label = int(label)
    return (label, None, columns) if isinstance(label, str) else ("", label, columns)


def _content(member: tarfile.TarInfo, file: BinaryIO) -> str:
    if not member.isreg() or member.size > _MAX_LABEL_BYTES:
        raise ValueError(f"its {member.name} is no small file")
    file.seek(member.offset_data)
    try:
        return file.read(member.size).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"its {member.name} is no UTF-8 text") from None


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value
