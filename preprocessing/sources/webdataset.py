"""Tar shards in the WebDataset layout: `key.jpg` beside `key.cls`, `key.txt` or `key.json`."""

import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, ClassVar

from preprocessing.files.tfrecord import DamagedFileError
from preprocessing.problems import NO_CLASS, NO_SINGLE_IMAGE, UNREADABLE, Problem
from preprocessing.sources import listing, storage
from preprocessing.sources.base import Content, Item
from preprocessing.sources.class_names import is_class_text
from preprocessing.sources.containers import Container, ContainerSource
from preprocessing.sources.remarks import Remarks

# Also those of formats that are not read, or nobody would hear of such pictures.
_IMAGE_ENDINGS = {
    "jpg", "jpeg", "jpe", "jfif", "png", "gif", "bmp", "webp", "tif", "tiff", "avif", "heic",
    "heif", "jxl", "jp2", "ppm", "pgm", "pbm", "pnm", "img",
}  # fmt: skip
_LABEL_ENDINGS = ("cls", "json", "txt")
_LABELS_IN_JSON = ("label", "cls", "class")
_MAX_LABEL_BYTES = 1_000_000
_BLOCK = 512


@dataclass
class _Sample:
    """Members of the same name up to a dot; labels by their ending."""

    name: str
    images: list[tarfile.TarInfo] = field(default_factory=list)
    labels: dict[str, tarfile.TarInfo] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether it is an image with its label."""
        return len(self.images) == 1 and bool(self.labels)


@dataclass(frozen=True)
class WebDatasetSource(ContainerSource):
    """Consecutive members with the same name up to the first dot are a sample.

    Where that gives a sample several images, and each of them has a label of the same name up to
    the last dot, as `2024.05.01.jpg` and `2024.05.01.cls` have, each of those pairs is one.

    The class is what `.cls` says, else `label`, `cls` or `class` in `.json`, else `.txt`, as
    number or text; the other values of `.json` are columns. A sample without a class, or with
    none or several images, cannot be used. Members with other endings are left out, as hidden
    ones are.

    The URI of an image is the shard and the member: `shard-001.tar#0017.jpg`.
    """

    format: ClassVar[str] = "webdataset"
    name_pattern: ClassVar[str] = r"\.(tar|tar\.gz|tgz)$"

    def members(
        self, container: Container, local_path: str, file: BinaryIO, remarks: Remarks
    ) -> Iterator[Item]:
        """See `ContainerSource`."""
        for sample in _samples(file, remarks):
            class_text, columns = "", {}
            try:
                text, number, columns = _label(sample, file)
                class_text, problem = self.class_names.resolve(text, number)
                if not sample.labels:
                    problem = Problem(NO_CLASS, "no label beside it")
            except (ValueError, RecursionError) as error:  # of JSON that is nested too deeply
                problem = Problem(NO_CLASS, str(error))
            if not sample.images:
                problem = Problem(NO_SINGLE_IMAGE, "a label without an image beside it")
            elif len(sample.images) > 1:
                detail = f"one of {len(sample.images)} images of the sample {sample.name!r}"
                problem = Problem(NO_SINGLE_IMAGE, detail)
            is_image = bool(sample.images)
            for member in sample.images or list(sample.labels.values())[:1]:
                is_plain = member.isreg() and not member.issparse()
                yield Item(
                    uri=f"{container.file.name}#{member.name}",
                    class_text=class_text,
                    split=container.split,
                    num_bytes=member.size if is_image else 0,
                    file=local_path,
                    offset=member.offset_data,
                    length=member.size if is_image else 0,
                    problem=problem if is_plain else Problem(UNREADABLE, "not a regular file"),
                    columns=columns,
                )

    def read(self, item: Item) -> Content:
        """See `Source`."""
        return self.content(
            item, lambda: storage.read_range(item.file, item.offset, item.length or 0)
        )

    def advice(self, unusable: Sequence[str]) -> str:
        """See `Source`."""
        del unusable
        return (
            "in a tar, the image and the label of a sample must follow each other and have the "
            "same name up to the first dot; `tar --sort=name` writes them so"
        )


def _samples(file: BinaryIO, remarks: Remarks) -> Iterator[_Sample]:
    group: dict[str, _Sample] = {}  # members with the same key, by their names up to the last dot
    key = last = None
    for member in _tar_members(file):
        folder, _, base = member.name.rpartition("/")
        if member.isdir() or "." not in base:
            continue
        if not all(storage.is_visible(part) for part in (*folder.split("/"), base) if part != "."):
            remarks.count(listing.SKIPPED, member.name)
            continue
        name, _, ending = member.name.rpartition(".")
        member_key = member.name[: len(member.name) - len(base) + base.index(".")]
        ending = ending.lower()
        if ending not in _IMAGE_ENDINGS and ending not in _LABEL_ENDINGS:
            continue
        if member_key != key:
            yield from _split(group, key)
            group, key, last = {}, member_key, None
        if last not in (None, name, key) and group[last].is_complete:
            # An archive may be one group of such pairs: it must not be held in memory.
            yield group.pop(last)
        last = name
        sample = group.setdefault(name, _Sample(name))
        if ending in _IMAGE_ENDINGS:
            sample.images.append(member)
        else:
            sample.labels[ending] = member
    yield from _split(group, key)


def _split(group: dict[str, _Sample], key: str | None) -> Iterator[_Sample]:
    """The samples of members with the same key, given by their names up to the last dot."""
    with_images = [one for one in group.values() if one.images]
    if len(with_images) > 1 and all(one.is_complete for one in with_images):
        yield from group.values()
    elif group:
        whole = _Sample(key or "")
        for one in sorted(group.values(), key=lambda one: one.name == key):
            whole.images += one.images
            whole.labels |= one.labels  # those of the key itself come last, and hold
        whole.images.sort(key=lambda member: member.offset)
        yield whole


def _tar_members(file: BinaryIO) -> Iterator[tarfile.TarInfo]:
    """The members, by their headers; the archive must be whole, its end included."""
    num_bytes = file.seek(0, 2)
    file.seek(0)
    whole = 0
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            # At 0 there is no member, and tarfile would look in front of it.
            while archive.offset and (member := archive.next()) is not None:
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
    if outer is None and inner is None and "json" in sample.labels:
        names = ", ".join(values) or "nothing"
        raise ValueError(f"no {' or '.join(_LABELS_IN_JSON)} in its .json, which has {names}")
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
