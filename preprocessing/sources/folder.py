"""An image folder: one folder of image files per class, perhaps below folders of splits."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from preprocessing.errors import InputError
from preprocessing.problems import UNREADABLE, Problem, ProblemCounts
from preprocessing.sources import listing, storage
from preprocessing.sources.base import Item, Source, Survey
from preprocessing.sources.class_names import ClassNames, is_class_text
from preprocessing.sources.remarks import Remarks
from preprocessing.sources.splits import looks_like_split, split_named

# What becomes of folders within a class folder.
CLASS_IS_TOP, CLASS_IS_PATH, REFUSE = "class_is_top", "class_is_path", "refuse"
NESTED = (CLASS_IS_TOP, CLASS_IS_PATH, REFUSE)
BESIDE = "files beside the class folders have no class and are not read"


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
      nested: the class of a file in a folder of a class folder: that of the class folder
        (`class_is_top`), or all folders on the way to it, as in `bird/owl` (`class_is_path`);
        or there may be none (`refuse`).
      split_names_allowed: whether a class may have a name like that of a split.
    """

    path: str
    class_names: ClassNames = field(default_factory=ClassNames)
    nested: str = CLASS_IS_TOP
    split_names_allowed: bool = True
    format: ClassVar[str] = "folder"

    def files(self) -> Iterator[storage.StoredFile]:
        """See `Source`."""
        for _, _, file in self._walk(Remarks()):
            yield file

    def items(self, remarks: Remarks | None = None) -> Iterator[Item]:
        """See `Source`."""
        for split, name, file in self._walk(Remarks() if remarks is None else remarks):
            class_text, problem = self.class_names.resolve(name, None)
            if file.error:
                problem = Problem(UNREADABLE, file.error)
            yield Item(
                uri=storage.join(self.path, file.name),
                class_text=class_text,
                split=split,
                num_bytes=file.num_bytes,
                problem=problem,
            )

    def survey(self, limit: int) -> Survey:
        """See `Source`."""
        remarks, problems = Remarks(), ProblemCounts()
        num_images, classes = 0, set()
        tree = self._tree()
        with _readable(self.path):
            for _, top, folder in self._class_folders(tree, remarks):
                for name, file in self._class_files(tree, top, folder, remarks):
                    # A class that is known need not be counted any more, when enough were.
                    if num_images >= limit and name in classes and self.nested == CLASS_IS_TOP:
                        break
                    _, problem = self.class_names.resolve(name, None)
                    problem = Problem(UNREADABLE, file.error) if file.error else problem
                    if problem is not None:
                        problems.add(storage.join(self.path, file.name), problem)
                    num_images += 1
                    classes.add(name)
        self._end(classes, tree, remarks)
        return Survey(num_images, len(classes), tuple(remarks.lines()), problems)

    def _walk(self, remarks: Remarks) -> Iterator[tuple[str | None, str, storage.StoredFile]]:
        """(split, class, file) of every file, which is named relative to the source."""
        classes: set[str] = set()
        tree = self._tree()
        with _readable(self.path):
            for split, top, folder in self._class_folders(tree, remarks):
                for name, file in self._class_files(tree, top, folder, remarks):
                    classes.add(name)
                    yield split, name, file
        self._end(classes, tree, remarks)

    def _tree(self) -> listing.Tree:
        with _readable(self.path):
            return listing.open_tree(self.path)

    def _class_folders(
        self, tree: listing.Tree, remarks: Remarks
    ) -> Iterator[tuple[str | None, str, str]]:
        """(split, class, folder) of every class folder, named relative to the source."""
        top = tree.list_folder()
        _remark(remarks, "", top)
        inner = {name: tree.list_folder(name) for name in top.folders if split_named(name)}
        full = {name: found for name, found in inner.items() if found.folders or found.files}
        if len(inner) == len(top.folders) and all(found.folders for found in full.values()):
            for folder, found in full.items():
                _remark(remarks, f"{folder}/", found)
                self._check_split_names(found.folders, f"{folder}/")
                for name in found.folders:
                    yield split_named(folder), name, f"{folder}/{name}"
        else:
            self._check_split_names(top.folders, "")
            yield from ((None, name, name) for name in top.folders)

    def _class_files(
        self, tree: listing.Tree, top: str, folder: str, remarks: Remarks
    ) -> Iterator[tuple[str, storage.StoredFile]]:
        """(class, file) of every file below a class folder."""
        self._check_class_name(top)
        if self.nested == REFUSE:
            self._check_not_nested(folder, tree.list_folder(folder))
        deepest, splits = 0, set()
        for levels, file in tree.files_below(folder, remarks):
            name = top
            if levels:
                inner = file.name[len(folder) + 1 :].split("/")[:levels]
                splits |= {part for part in inner if split_named(part)}
                deepest = max(deepest, levels)
                if self.nested == CLASS_IS_PATH:
                    name = "/".join((top, *inner))
                    self._check_class_name(name)
            yield name, file
        remarks.levels = max(remarks.levels, deepest)
        for part in sorted(splits):
            remarks.note(
                f"folders called {part!r} lie within class folders, and are no splits there"
            )

    def _check_class_name(self, name: str) -> None:
        if not is_class_text(name):
            raise InputError(
                f"a class folder's name must be printable UTF-8 text without spaces at its ends. "
                f"Received: {name!r} in {self.path}"
            )

    def _check_not_nested(self, folder: str, found: listing.Listing) -> None:
        if found.folders:
            inner = storage.join(self.path, f"{folder}/{found.folders[0]}")
            raise InputError(
                f"a class folder of data.path may hold only files, as data.nested is {REFUSE}. "
                f"Received: the folder {inner}; move it away, or set data.nested to "
                f"{CLASS_IS_TOP} or {CLASS_IS_PATH}"
            )

    def _check_split_names(self, names: list[str], folder: str) -> None:
        wrong = [f"{folder}{name}" for name in names if looks_like_split(name)]
        if not wrong or self.split_names_allowed:
            return
        raise InputError(
            f"a folder with the name of a split must hold class folders, and all folders beside "
            f"it must be splits, too. Received: {', '.join(map(repr, wrong[:3]))} in {self.path}; "
            f"where its name is a class, set data.format to folder; where only its own folders are "
            f"the classes, make it data.path{self._table_hint()}"
        )

    def _table_hint(self) -> str:
        """Names a table that lies in the folder, which may have the labels."""
        with _readable(self.path):
            names = [file.name for file in listing.open_tree(self.path).list_folder().files]
        tables = [name for name in names if name.lower().endswith((".csv", ".tsv", ".jsonl"))]
        if not tables:
            return ""
        return f"; where {tables[0]} names the images and their labels, set data.path to that file"

    def _end(self, classes: set[str], tree: listing.Tree, remarks: Remarks) -> None:
        """Says how deep the files lay, and looks whether there were classes enough."""
        if remarks.levels:
            remarks.note(
                f"images lie up to {remarks.levels} levels of folders below their class folder, "
                f"and data.nested is {self.nested}"
            )
        if len(classes) >= 2:
            return
        hint = ""
        for name in classes & set(tree.list_folder().folders):
            folders = len(tree.list_folder(name).folders)
            if folders > 1:
                hint = f"; if its {folders} folders are the classes, make it data.path"
        raise InputError(
            f"data.path must have at least two sub-folders with images, one a class. Received: "
            f"{self.path} with {', '.join(map(repr, sorted(classes))) or 'none'}{hint}"
        )


def _remark(remarks: Remarks, folder: str, found: listing.Listing) -> None:
    for name in found.skipped:
        remarks.count(listing.SKIPPED, f"{folder}{name}")
    for file in found.files:
        remarks.count(BESIDE, f"{folder}{file.name}")


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
