"""Folders, listed one by one: local ones by the system, remote ones by one listing of all."""

import abc
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import itemgetter

from preprocessing.errors import InputError
from preprocessing.sources import storage
from preprocessing.sources.remarks import Remarks
from preprocessing.sources.storage import StoredFile

SKIPPED = "hidden files, or those of a file manager, were skipped"
# Deeper, folders are a mistake; links that go round are found before.
MAX_LEVELS = 100
_SHOWN_CHARS = 80


@dataclass(frozen=True, slots=True)
class Listing:
    """What a folder holds, each sorted by name.

    Attributes:
      folders: visible sub-folders.
      files: visible files.
      skipped: names that are hidden, or the litter of a file manager.
    """

    folders: list[str] = field(default_factory=list)
    files: list[StoredFile] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


class Tree(abc.ABC):
    """A folder with all below it, listed folder by folder.

    Attributes:
      root: path of the folder.
    """

    def __init__(self, root: str):
        self.root = root

    @abc.abstractmethod
    def list_folder(self, folder: str = "") -> Listing:
        """Lists a folder, named relative to the tree's root.

        Raises:
          OSError: there is no such folder, or it may not be read.
        """

    def identity(self, folder: str) -> object:
        """What two names of the same folder have in common."""
        return folder

    def files_below(self, folder: str, remarks: Remarks) -> Iterator[tuple[int, StoredFile]]:
        """Yields (levels of folders in between, file) of all visible files below a folder.

        They are named relative to the tree's root, in the order of their names, part by part. A
        link to a folder that it lies in is a file that cannot be examined.

        Args:
          folder: named relative to the tree's root.
          remarks: gets what is skipped.

        Raises:
          OSError: a folder may not be read.
          InputError: folders lie more than `MAX_LEVELS` deep in each other.
        """
        parts = folder.split("/")
        above = tuple(self.identity("/".join(parts[:count])) for count in range(len(parts)))
        for depth, file in self._files_below(folder, above, remarks):
            yield depth - len(above), file

    def _files_below(
        self, folder: str, above: tuple[object, ...], remarks: Remarks
    ) -> Iterator[tuple[int, StoredFile]]:
        """(number of folders above that of the file, file); `above` identifies those folders."""
        here = self.identity(folder)
        if here in above:
            yield len(above) - 1, StoredFile(folder, 0, 0, "a link to a folder that it lies in")
            return
        if len(above) > MAX_LEVELS:
            raise InputError(
                f"folders of data.path may lie {MAX_LEVELS} deep in each other. Received: "
                f"{self.root} with {folder[:_SHOWN_CHARS]}..."
            )
        found = self.list_folder(folder)
        for name in found.skipped:
            remarks.count(SKIPPED, f"{folder}/{name}")
        files = [(file.name, file) for file in found.files]
        folders = [(name, None) for name in found.folders]
        for name, file in sorted([*files, *folders], key=itemgetter(0)):
            path = f"{folder}/{name}"
            if file is None:
                yield from self._files_below(path, (*above, here), remarks)
            else:
                yield len(above), StoredFile(path, file.num_bytes, file.stamp, file.error)


def open_tree(path: str) -> Tree:
    """The tree below a folder; a remote one is listed once, here.

    Raises:
      InputError: the filesystem of the path is not installed or cannot be reached.
    """
    return _RemoteTree(path) if storage.is_remote(path) else _LocalTree(path)


class _LocalTree(Tree):
    def list_folder(self, folder: str = "") -> Listing:
        found = Listing()
        with os.scandir(os.path.join(self.root, folder)) as entries:
            for entry in entries:
                if not storage.is_visible(entry.name):
                    found.skipped.append(entry.name)
                    continue
                # A dead link, a link to itself, or gone by now: an image that cannot be read.
                try:
                    if entry.is_dir():
                        found.folders.append(entry.name)
                        continue
                    status = entry.stat()
                except OSError as error:
                    found.files.append(StoredFile(entry.name, 0, 0, storage.reason(error)))
                else:
                    found.files.append(StoredFile(entry.name, status.st_size, status.st_mtime_ns))
        return _sorted(found)

    def identity(self, folder: str) -> object:
        status = os.stat(os.path.join(self.root, folder))
        return status.st_dev, status.st_ino


class _RemoteTree(Tree):
    def __init__(self, root: str):
        super().__init__(root)
        self._listings: dict[str, Listing] = {}
        for file in storage.files_below(root):
            *above, name = file.name.split("/")
            # Consoles of object stores mark an empty "folder" by an object that ends in a slash.
            if not name:
                continue
            hidden = [n for n, part in enumerate((*above, name)) if not storage.is_visible(part)]
            if hidden:
                parts = (*above, name)[: hidden[0] + 1]
                skipped = self._folder(list(parts[:-1])).skipped
                if parts[-1] not in skipped[-1:]:  # all below a hidden folder is skipped with it
                    skipped.append(parts[-1])
            else:
                self._folder(above).files.append(StoredFile(name, file.num_bytes, file.stamp))
        for listing in self._listings.values():
            _sorted(listing)

    def list_folder(self, folder: str = "") -> Listing:
        if folder not in self._listings:
            raise FileNotFoundError(2, "No such file or directory", storage.join(self.root, folder))
        return self._listings[folder]

    def _folder(self, parts: list[str]) -> Listing:
        name = "/".join(parts)
        if name not in self._listings:
            self._listings[name] = Listing()
            if parts:
                self._folder(parts[:-1]).folders.append(parts[-1])
        return self._listings[name]


def _sorted(found: Listing) -> Listing:
    found.folders.sort()
    found.files.sort(key=lambda file: file.name)
    found.skipped.sort()
    return found
