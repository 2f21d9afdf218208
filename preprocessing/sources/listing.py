"""Folders, listed one by one: local ones by the system, remote ones by one listing of all."""

import abc
import logging
import os
from dataclasses import dataclass

from preprocessing.sources import storage
from preprocessing.sources.storage import StoredFile


@dataclass(frozen=True, slots=True)
class Listing:
    """What a folder holds: visible sub-folders and files, each sorted by name."""

    folders: list[str]
    files: list[StoredFile]


class Tree(abc.ABC):
    """A folder with all below it, listed folder by folder."""

    @abc.abstractmethod
    def list_folder(self, folder: str = "") -> Listing:
        """Lists a folder, named relative to the tree's root; hidden names are left out.

        Raises:
          OSError: there is no such folder, or it may not be read.
        """


def open_tree(path: str) -> Tree:
    """The tree below a folder; a remote one is listed once, here.

    Raises:
      InputError: the filesystem of the path is not installed or cannot be reached.
    """
    return _RemoteTree(path) if storage.is_remote(path) else _LocalTree(path)


class _LocalTree(Tree):
    def __init__(self, root: str):
        self._root = root

    def list_folder(self, folder: str = "") -> Listing:
        folders, files = [], []
        with os.scandir(os.path.join(self._root, folder)) as entries:
            for entry in entries:
                if not storage.is_visible(entry.name):
                    continue
                if entry.is_dir():
                    folders.append(entry.name)
                    continue
                try:
                    status = entry.stat()
                except OSError as error:  # a dead link, or gone by now: told when it is read
                    logging.info("%s cannot be examined: %s", entry.path, error)
                    files.append(StoredFile(entry.name, 0, 0))
                else:
                    files.append(StoredFile(entry.name, status.st_size, status.st_mtime_ns))
        return Listing(sorted(folders), sorted(files, key=lambda file: file.name))


class _RemoteTree(Tree):
    def __init__(self, root: str):
        self._root = root
        prefix = root.rstrip("/") + "/"
        self._listings: dict[str, Listing] = {}
        for file in storage.stored(storage.match(storage.quoted(prefix) + "**"), prefix):
            *above, name = file.name.split("/")
            # Consoles of object stores mark an empty "folder" by an object that ends in a slash.
            if name and all(map(storage.is_visible, (*above, name))):
                stored = StoredFile(name, file.num_bytes, file.stamp)
                self._folder(above).files.append(stored)
        for listing in self._listings.values():
            listing.folders.sort()
            listing.files.sort(key=lambda file: file.name)

    def list_folder(self, folder: str = "") -> Listing:
        if folder not in self._listings:
            raise FileNotFoundError(
                2, "No such file or directory", storage.join(self._root, folder)
            )
        return self._listings[folder]

    def _folder(self, parts: list[str]) -> Listing:
        name = "/".join(parts)
        if name not in self._listings:
            self._listings[name] = Listing([], [])
            if parts:
                self._folder(parts[:-1]).folders.append(parts[-1])
        return self._listings[name]
