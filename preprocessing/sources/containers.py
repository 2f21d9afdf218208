"""Sources whose images lie in containers, many in one file."""

import abc
import dataclasses
import functools
import gzip
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from preprocessing.errors import InputError
from preprocessing.files.tfrecord import DamagedFileError
from preprocessing.problems import ProblemCounts
from preprocessing.sources import listing, shard_sets, storage
from preprocessing.sources.base import ASSUMED_IMAGE_BYTES, Item, Source, Survey
from preprocessing.sources.class_names import ClassNames
from preprocessing.sources.remarks import Remarks
from preprocessing.sources.splits import split_named

_GZIP_MAGIC = b"\x1f\x8b"
_PIECE_BYTES = 1 << 20


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
      path: a container, a folder of them, or a pattern with `*` or `?`.
      class_names: see `Source`.
      copies: folder of the copies that `fetched` made; empty where there are none.
    """

    path: str
    class_names: ClassNames = field(default_factory=ClassNames)
    copies: str = ""
    name_pattern: ClassVar[str]
    inner_folders: ClassVar[tuple[str, ...]] = ()  # that hold containers, beside those of splits

    @classmethod
    def is_container(cls, name: str) -> bool:
        """Whether a file is a container of this kind, by its name."""
        return re.search(cls.name_pattern, name, re.IGNORECASE) is not None

    @abc.abstractmethod
    def members(
        self, container: Container, local_path: str, file: BinaryIO, remarks: Remarks
    ) -> Iterator[Item]:
        """Yields the items of one container.

        Args:
          container: where it is.
          local_path: of the local, uncompressed file with its content.
          file: that file, open.
          remarks: gets what is skipped.

        Raises:
          DamagedFileError: it is truncated or corrupted.
        """

    def files(self) -> Iterator[storage.StoredFile]:
        """See `Source`."""
        for container in self.containers:
            yield container.file

    def items(self, remarks: Remarks | None = None) -> Iterator[Item]:
        """See `Source`; compressed and remote containers have to be fetched before."""
        remarks = Remarks() if remarks is None else remarks
        self._remark(remarks)
        for number, container in enumerate(self.containers):
            local_path = container.file.name
            copy = Path(self.copies, str(number))
            if self.copies and copy.exists():
                local_path = str(copy)
            with _open(local_path) as file:
                try:
                    yield from self.members(container, local_path, file, remarks)
                except DamagedFileError as error:
                    size = Path(local_path).stat().st_size
                    problem = f"{error} of {size}: {size - error.position} bytes cannot be used"
                    raise _damaged(container.file.name, problem) from None

    def survey(self, limit: int) -> Survey:
        """See `Source`."""
        remarks, problems = Remarks(), ProblemCounts()
        containers = self.containers
        if any(map(self.needs_fetching, containers)):
            self._remark(remarks)
            num_bytes = sum(container.file.num_bytes for container in containers)
            return Survey(max(1, num_bytes // ASSUMED_IMAGE_BYTES), None, tuple(remarks.lines()))
        count = 0
        for count, item in enumerate(self.items(remarks), start=1):
            if item.problem is not None:
                problems.add(item.uri, item.problem)
            if count >= limit:
                break
        return Survey(count, None, tuple(remarks.lines()), problems)

    def fetched(self, folder: Path, make_pipeline: Callable[[], Any]) -> "Source":
        """See `Source`; the copies are uncompressed and take that much room on the disk."""
        containers = self.containers
        jobs = [
            (container.file.name, str(folder / str(number)))
            for number, container in enumerate(containers)
            if self.needs_fetching(container)
        ]
        if not jobs:
            return self
        from preprocessing.sources import fetch  # imports Beam, which a survey need not wait for

        folder.mkdir()
        problems = fetch.fetch_all(jobs, self.unpack, make_pipeline)
        for (name, copy), problem in zip(jobs, problems, strict=True):
            if problem:
                unpacked = Path(copy).stat().st_size if Path(copy).exists() else 0
                raise _damaged(name, f"{problem}, after {unpacked} bytes of its content")
        return dataclasses.replace(self, copies=str(folder))

    def needs_fetching(self, container: Container) -> bool:
        """Whether a container's images cannot be read in any order where they are."""
        if storage.is_remote(container.file.name):
            return True
        with _open(container.file.name) as file:
            return file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC

    def unpack(self, name: str, target: str) -> None:
        """Makes a container into a local, uncompressed file with its content.

        Args:
          name: path of the container.
          target: path of the new file.

        Raises:
          Exception: of any type: the container cannot be read, or is damaged.
        """
        with open(target, "wb") as copy, storage.open_file(name) as file:
            is_gzip = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
            with storage.open_file(name) as again:
                content = gzip.GzipFile(fileobj=again) if is_gzip else again
                shutil.copyfileobj(content, copy, _PIECE_BYTES)

    @functools.cached_property
    def containers(self) -> list[Container]:
        """The containers, sorted by name; listed once.

        Raises:
          InputError: there are none, or a folder cannot be read.
        """
        try:
            found = self._pattern() if storage.has_wildcards(self.path) else self._here()
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

    def _here(self) -> list[Container]:
        if storage.is_file(self.path):
            return [Container(storage.file_at(self.path), None)]
        tree = listing.open_tree(self.path)
        top = tree.list_folder()
        found = []
        inner = (*self.inner_folders, *(name for name in top.folders if split_of_folder(name)))
        for folder in ("", *(name for name in inner if name in top.folders)):
            for file in (tree.list_folder(folder) if folder else top).files:
                if self.is_container(file.name):
                    name = storage.join(self.path, f"{folder}/{file.name}" if folder else file.name)
                    stored = storage.StoredFile(name, file.num_bytes, file.stamp)
                    split = split_of_folder(folder) or split_in_name(file.name)
                    found.append(Container(stored, split))
        return found

    def _pattern(self) -> list[Container]:
        files = storage.matching_files(self.path)
        return [Container(file, _split_in_path(file.name)) for file in files]

    def _remark(self, remarks: Remarks) -> None:
        for line in shard_sets.incomplete([container.file.name for container in self.containers]):
            remarks.note(line)


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


def _open(path: str) -> BinaryIO:
    try:
        return storage.open_file(path)
    except OSError as error:
        raise InputError(
            f"a container of data must be readable. Received: {path}: {error.strerror}"
        ) from None


def _damaged(name: str, problem: str) -> InputError:
    return InputError(
        f"a container of data must be whole, or nobody knows which images are lost; replace or "
        f"remove it. Received: {name}: {problem}"
    )
