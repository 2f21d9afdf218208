"""An image folder: one sub-folder of image files a class, perhaps below folders of splits."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from preprocessing.errors import InputError
from preprocessing.sources import listing, storage
from preprocessing.sources.base import Item, Source, Survey
from preprocessing.sources.class_names import ClassNames, is_class_text
from preprocessing.sources.splits import split_named


@dataclass(frozen=True)
class FolderSource(Source):
    """See the module.

    Every file of a class counts, whatever its ending: an image is what its bytes say, and what
    is none will be reported. Only hidden files and the litter of file managers are skipped, and
    files beside the class folders, which have no class. A folder without files is no class.

    The top-level folders are splits where all of them have names of splits and hold folders;
    otherwise they are classes.

    Attributes:
      path: the folder.
      class_names: see `Source`.
    """

    path: str
    class_names: ClassNames = field(default_factory=ClassNames)
    format: ClassVar[str] = "folder"

    def files(self) -> Iterator[storage.StoredFile]:
        """See `Source`."""
        for _, _, file in self._walk():
            yield file

    def items(self) -> Iterator[Item]:
        """See `Source`."""
        for split, name, file in self._walk():
            class_text, error = self.class_names.resolve(name, None)
            yield Item(
                uri=storage.join(self.path, file.name),
                class_text=class_text,
                split=split,
                num_bytes=file.num_bytes,
                error=error,
            )

    def survey(self, limit: int) -> Survey:
        """See `Source`."""
        num_images, classes = 0, set()
        tree = self._tree()
        with _readable(self.path):
            for _, name, folder in self._class_folders(tree):
                # A class that is known need not be counted any more, when enough were.
                if num_images < limit or name not in classes:
                    found = tree.list_folder(folder)
                    self._check_class_folder(folder, name, found)
                    num_images += len(found.files)
                    classes |= {name} if found.files else set()
        self._check_classes(classes)
        return Survey(num_images, len(classes))

    def _walk(self) -> Iterator[tuple[str | None, str, storage.StoredFile]]:
        """(split, class, file) of every file, which is named relative to the source."""
        classes: set[str] = set()
        tree = self._tree()
        with _readable(self.path):
            for split, name, folder in self._class_folders(tree):
                found = tree.list_folder(folder)
                self._check_class_folder(folder, name, found)
                if found.files:
                    classes.add(name)
                for file in found.files:
                    yield (
                        split,
                        name,
                        storage.StoredFile(f"{folder}/{file.name}", file.num_bytes, file.stamp),
                    )
        self._check_classes(classes)

    def _tree(self) -> listing.Tree:
        with _readable(self.path):
            return listing.open_tree(self.path)

    def _class_folders(self, tree: listing.Tree) -> Iterator[tuple[str | None, str, str]]:
        """(split, class, folder) of every folder of a class, relative to the source."""
        top = tree.list_folder().folders
        if not all(map(split_named, top)):
            yield from ((None, name, name) for name in top)
            return
        inner = {name: tree.list_folder(name) for name in top}
        full = {name: found for name, found in inner.items() if found.folders or found.files}
        if not all(found.folders for found in full.values()):
            yield from ((None, name, name) for name in top)
            return
        for folder, found in full.items():
            for name in found.folders:
                yield split_named(folder), name, f"{folder}/{name}"

    def _check_class_folder(self, folder: str, name: str, found: listing.Listing) -> None:
        if not is_class_text(name):
            raise InputError(
                f"a class folder's name must be printable UTF-8 text without spaces at its ends. "
                f"Received: {name!r} in {self.path}"
            )
        if found.folders:
            inner = storage.join(self.path, f"{folder}/{found.folders[0]}")
            raise InputError(
                f"a class folder of data.path may hold only files. Received: the folder "
                f"{inner}; move it away, or make data.path the folder whose sub-folders "
                "are the classes"
            )

    def _check_classes(self, classes: set[str]) -> None:
        if len(classes) < 2:
            raise InputError(
                f"data.path must have at least two sub-folders with images, one a class. Received: "
                f"{self.path} with {', '.join(map(repr, sorted(classes))) or 'none'}"
            )


@contextlib.contextmanager
def _readable(path: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"data.path must be an existing folder. Received: {path}") from None
    except OSError as error:
        raise InputError(
            f"data.path must be a readable folder with one sub-folder of images a class. "
            f"Received: {error.filename or path}: {error.strerror}"
        ) from None
