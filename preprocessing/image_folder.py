"""A corpus as people have it: a folder with one sub-folder of image files a class."""

import hashlib
import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from preprocessing.errors import InputError

# What file managers leave behind. Hidden files are skipped as well.
_LITTER = frozenset({"thumbs.db", "desktop.ini"})


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that may be an image.

    Attributes:
      name: `<class>/<file name>`, relative to the corpus. Bytes of a file name that are no
        UTF-8 are surrogate escapes, as `os.fsdecode` makes them.
      num_bytes: size; 0 where it cannot be told, as of a dead link.
      mtime_ns: time of the last change, nanoseconds since 1970; 0 where it cannot be told.
    """

    name: str
    num_bytes: int
    mtime_ns: int


def list_images(folder: str) -> list[SourceFile]:
    """Lists the candidates of a corpus, sorted by name.

    Every file of a class counts, whatever its ending: an image is what its bytes say, and what
    is none will be reported. Only hidden files and the litter of file managers are skipped, and
    files beside the class folders, which have no class. A folder without files is no class.

    Args:
      folder: the corpus.

    Raises:
      InputError: no such folder, fewer than two classes, a folder inside a class folder, a
        class name that is not printable text, or a folder that may not be read.
    """
    files: list[SourceFile] = []
    try:
        classes = [entry for entry in _visible(folder) if entry.is_dir()]
        for entry in classes:
            _check_class_name(folder, entry.name)
            files.extend(_files_of_class(entry))
    except FileNotFoundError:
        raise InputError(f"data.path must be an existing folder. Received: {folder}") from None
    except OSError as error:
        raise InputError(
            f"data.path must be a readable folder with one sub-folder of images a class. "
            f"Received: {error.filename or folder}: {error.strerror}"
        ) from None
    files.sort(key=lambda file: file.name)
    names = class_names(files)
    if len(names) < 2:
        raise InputError(
            f"data.path must have at least two sub-folders with images, one a class. "
            f"Received: {folder} with {', '.join(map(repr, names)) or 'none'}"
        )
    return files


def class_names(files: Iterable[SourceFile]) -> list[str]:
    """The names of the classes that have files, sorted."""
    return sorted({file.name.partition("/")[0] for file in files})


def fingerprint(files: Iterable[SourceFile]) -> str:
    """SHA-256 over names, sizes and times of change: differs when a file came, went or changed.

    Args:
      files: as `list_images` gives them.

    Returns:
      64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for file in files:
        digest.update(os.fsencode(file.name) + b"\0")
        digest.update(f"{file.num_bytes} {file.mtime_ns}\n".encode())
    return digest.hexdigest()


def _visible(folder: str) -> Iterator[os.DirEntry]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and entry.name.lower() not in _LITTER:
                yield entry


def _files_of_class(entry: os.DirEntry) -> Iterator[SourceFile]:
    for file in _visible(entry.path):
        if file.is_dir():
            raise InputError(
                f"a class folder of data.path may hold only files. Received: the folder "
                f"{file.path}; move it away, or make data.path the folder whose sub-folders "
                "are the classes"
            )
        try:
            status = file.stat()
        except OSError as error:  # a dead link, or gone by now: reported when it is read
            logging.info("%s cannot be examined: %s", file.path, error)
            yield SourceFile(f"{entry.name}/{file.name}", 0, 0)
        else:
            yield SourceFile(f"{entry.name}/{file.name}", status.st_size, status.st_mtime_ns)


def _check_class_name(folder: str, name: str) -> None:
    # A name becomes a line of labels.txt, and a feature in UTF-8.
    try:
        name.encode()
        printable = name.isprintable()
    except UnicodeEncodeError:
        printable = False
    if not printable or name != name.strip():
        raise InputError(
            f"a class folder's name must be printable UTF-8 text without spaces at its ends. "
            f"Received: {name!r} in {folder}"
        )
