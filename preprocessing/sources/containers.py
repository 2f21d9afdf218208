"""Sources whose images lie in containers, many in one file."""

import abc
import dataclasses
import functools
import glob
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from preprocessing.errors import InputError
from preprocessing.files.tfrecord import DamagedFileError
from preprocessing.sources import listing, storage
from preprocessing.sources.base import ASSUMED_IMAGE_BYTES, Item, Source, Survey
from preprocessing.sources.class_names import ClassNames
from preprocessing.sources.splits import split_named

_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Container:
    """A file with images.

    Attributes:
      file: what a listing tells of it, named by its whole path.
      split: `train`, `eval` or `test`, as a folder's or its own name says; None where none does.
    """

    file: storage.StoredFile
    split: str | None


@dataclass(frozen=True)
class ContainerSource(Source):
    """Base of the sources of containers.

    The containers of a folder are those directly in it, and those in its folders that have the
    name of a split, or `Split-` before one. A damaged container is refused: whatever is behind
    the damage would be lost, and nobody would know how much that is.

    To shuffle over the whole split, images are read in any order, by their offsets. Where that
    cannot be done, because a container is compressed or remote, `fetched` first copies it, once.

    Attributes:
      path: a container, a folder of them, or a pattern with `*`.
      class_names: see `Source`.
      copies: folder of the copies that `fetched` made; empty where there are none.
    """

    path: str
    class_names: ClassNames = field(default_factory=ClassNames)
    copies: str = ""
    name_pattern: ClassVar[str]

    @classmethod
    def is_container(cls, name: str) -> bool:
        """Whether a file is a container of this kind, by its name."""
        return re.search(cls.name_pattern, name, re.IGNORECASE) is not None

    @abc.abstractmethod
    def members(self, container: Container, place: str, file: BinaryIO) -> Iterator[Item]:
        """Yields the items of one container.

        Args:
          container: where it is.
          place: the local, uncompressed file with its content.
          file: that file, open.

        Raises:
          DamagedFileError: it is truncated or corrupted.
        """

    def files(self) -> Iterator[storage.StoredFile]:
        """See `Source`."""
        for container in self.containers:
            yield container.file

    def items(self) -> Iterator[Item]:
        """See `Source`; compressed and remote containers have to be fetched before."""
        for number, container in enumerate(self.containers):
            place = container.file.name
            copy = Path(self.copies, str(number))
            if self.copies and copy.exists():
                place = str(copy)
            with _open(place) as file:
                try:
                    yield from self.members(container, place, file)
                except DamagedFileError as error:
                    size = Path(place).stat().st_size
                    problem = f"{error} of {size}: {size - error.position} bytes cannot be used"
                    raise _damaged(container.file.name, problem) from None

    def survey(self, limit: int) -> Survey:
        """See `Source`."""
        containers = self.containers
        if any(map(_needs_fetching, containers)):
            num_bytes = sum(container.file.num_bytes for container in containers)
            return Survey(max(1, num_bytes // ASSUMED_IMAGE_BYTES), None)
        count = 0
        for count, _ in enumerate(self.items(), start=1):
            if count >= limit:
                break
        return Survey(count, None)

    def fetched(self, folder: Path, make_pipeline: Callable[[], Any]) -> "Source":
        """See `Source`; the copies are uncompressed and take that much room on the disk."""
        containers = self.containers
        jobs = [
            (container.file.name, str(folder / str(number)))
            for number, container in enumerate(containers)
            if _needs_fetching(container)
        ]
        if not jobs:
            return self
        from preprocessing.sources import fetch  # imports Beam, which a survey need not wait for

        folder.mkdir()
        problems = fetch.fetch_all(jobs, make_pipeline)
        for (name, copy), problem in zip(jobs, problems, strict=True):
            if problem:
                unpacked = Path(copy).stat().st_size
                raise _damaged(name, f"{problem}, after {unpacked} bytes of its content")
        return dataclasses.replace(self, copies=str(folder))

    @functools.cached_property
    def containers(self) -> list[Container]:
        """The containers, sorted by name; listed once.

        Raises:
          InputError: there are none, or a folder cannot be read.
        """
        try:
            found = self._pattern() if "*" in self.path else self._file() or self._folder()
        except OSError as error:
            raise InputError(
                f"data.path must be a readable file or folder. Received: {self.path}: "
                f"{error.strerror or error}"
            ) from None
        if not found:
            raise InputError(
                f"data.path must have files of the format {self.format!r}. Received: {self.path} "
                "with none"
            )
        return sorted(found, key=lambda container: container.file.name)

    def _file(self) -> list[Container]:
        if not storage.is_file(self.path):
            return []
        return [Container(storage.file_at(self.path), None)]

    def _pattern(self) -> list[Container]:
        return [Container(file, _split_in_path(file.name)) for file in matching_files(self.path)]

    def _folder(self) -> list[Container]:
        tree = listing.open_tree(self.path)
        top = tree.list_folder()
        found = []
        for folder in ("", *(name for name in top.folders if split_of_folder(name))):
            inner = tree.list_folder(folder) if folder else top
            for file in inner.files:
                if self.is_container(file.name):
                    name = storage.join(self.path, f"{folder}/{file.name}" if folder else file.name)
                    stored = storage.StoredFile(name, file.num_bytes, file.stamp)
                    split = split_of_folder(folder) or split_in_name(file.name)
                    found.append(Container(stored, split))
        return found


def matching_files(pattern: str) -> list[storage.StoredFile]:
    """The files that match a pattern with `*`, named by their whole paths."""
    if storage.is_remote(pattern):
        return list(storage.stored(storage.match(pattern), ""))
    return [storage.file_at(path) for path in glob.glob(pattern, recursive=True)]


def split_of_folder(name: str) -> str | None:
    """The split that a folder's name says, with or without TFX's `Split-` before it."""
    return split_named(name.removeprefix("Split-"))


def split_in_name(name: str) -> str | None:
    """The split that a file's name says: the one split among its parts, as in `in-val-003.tar`."""
    found = {split_named(part) for part in re.split(r"[-_.]", name)} - {None}
    return found.pop() if len(found) == 1 else None


def _split_in_path(path: str) -> str | None:
    *_, folder, name = ("", *path.split("/"))
    return split_of_folder(folder) or split_in_name(name)


def _needs_fetching(container: Container) -> bool:
    if storage.is_remote(container.file.name):
        return True
    with _open(container.file.name) as file:
        return file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC


def _open(path: str) -> BinaryIO:
    try:
        return open(path, "rb")
    except OSError as error:
        raise InputError(
            f"a container of data must be readable. Received: {path}: {error.strerror}"
        ) from None


def _damaged(name: str, problem: str) -> InputError:
    return InputError(
        f"a container of data must be whole, or nobody knows which images are lost; replace or "
        f"remove it. Received: {name}: {problem}"
    )
