"""Where source files are: on this machine, or in what Beam's filesystems reach.

Local files go through the system's own calls, which list a folder in one go. Anything with a
scheme (`gs://`, `s3://`, `hdfs://`) goes through `remote`.
"""

import errno
import glob
import os
import posixpath
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from preprocessing.sources import remote
from preprocessing.sources.remote import configure

__all__ = ["configure"]

# What file managers and archivers leave behind. Hidden files are skipped as well.
_LITTER = frozenset({"__macosx", "thumbs.db", "desktop.ini"})
NOT_REGULAR = "not a regular file"
# A range of a remote file is one request; a larger one is read in pieces.
_PIECE_BYTES = 1 << 24


class ReadError(Exception):
    """A file cannot be read; the message says why, in one line."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file, as a listing tells of it.

    Attributes:
      name: relative to the folder that was listed. Bytes of a local name that are no UTF-8 are
        surrogate escapes, as `os.fsdecode` makes them.
      num_bytes: size; 0 where it cannot be told, as of a dead link.
      stamp: time of the last change, nanoseconds since 1970; 0 where it cannot be told.
      error: why it cannot be examined; empty where it can.
    """

    name: str
    num_bytes: int
    stamp: int
    error: str = ""


def is_remote(path: str) -> bool:
    """Whether a path is a URI of another filesystem; `file://` is this machine."""
    scheme = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*)://", path)
    return scheme is not None and scheme[1].lower() != "file"


def local_path(path: str) -> str:
    """The path of a `file://` URI; any other path or URI as it is.

    Raises:
      ValueError: the URI names another machine.
    """
    if not re.match("file://", path, re.IGNORECASE):
        return path
    parts = urlsplit(path)
    if parts.netloc not in ("", "localhost"):
        raise ValueError(
            f"a file:// URI must name a file of this machine, as in file:///folder. "
            f"Received: {path!r}"
        )
    # Python's own escapes for bytes that are no UTF-8 are those of `os.fsdecode`.
    return unquote(parts.path, errors="surrogateescape")


def join(folder: str, name: str) -> str:
    """The path of `name` within `folder`; a name that is absolute or a URI stays as it is."""
    if is_remote(name):
        return name
    return (posixpath if is_remote(folder) else os.path).join(folder, name)


def absolute(path: str) -> str:
    """The absolute path; a URI, and an empty path, stay as they are."""
    path = local_path(path)
    return os.path.abspath(path) if path and not is_remote(path) else path


def is_visible(name: str) -> bool:
    """Whether a file or folder is neither hidden nor the litter of a file manager."""
    return not name.startswith(".") and name.lower() not in _LITTER


def is_file(path: str) -> bool:
    """Whether there is a file (not a folder) at the path.

    Raises:
      InputError: the filesystem of the path is not installed or cannot be reached.
    """
    if not is_remote(path):
        return os.path.isfile(path)
    return any(found.uri == path for found in remote.match(_quoted(path)))


def file_at(path: str) -> StoredFile:
    """What a file's own folder tells of it, named by its whole path."""
    if is_remote(path):
        found = stored(remote.match(_quoted(path)), "")
        return next(found, StoredFile(path, 0, 0, "no such object"))
    try:
        status = os.stat(path)
    except OSError as error:
        return StoredFile(path, 0, 0, reason(error))
    except ValueError as error:  # a zero byte in the path
        return StoredFile(path, 0, 0, str(error))
    return StoredFile(path, status.st_size, status.st_mtime_ns)


def has_wildcards(path: str) -> bool:
    """Whether a path is a pattern: it has `*` or `?`, and nothing has that exact name."""
    if not re.search(r"[*?]", path):
        return False
    return not (is_file(path) if is_remote(path) else os.path.lexists(path))


def matching_files(pattern: str) -> list[StoredFile]:
    """The visible files that match a pattern, in which only `*` and `?` are special.

    They are named by their whole paths. `**` as a name stands for any number of folders.
    """
    literal = pattern.replace("[", "[[]")
    if is_remote(pattern):
        found = list(stored(remote.match(literal), ""))
    else:
        found = [file_at(path) for path in glob.glob(literal, recursive=True)]
        found = [file for file in found if not os.path.isdir(file.name)]
    return [file for file in found if is_visible(file.name.rpartition("/")[2])]


def files_below(folder: str) -> Iterator[StoredFile]:
    """All files of a remote folder, named relative to it.

    Raises:
      InputError: the filesystem of the path is not installed or cannot be reached.
    """
    prefix = folder.rstrip("/") + "/"
    return stored(remote.match(_quoted(prefix) + "**"), prefix)


def stored(found: Iterable[remote.RemoteFile], prefix: str) -> Iterator[StoredFile]:
    """Remote files, named without `prefix`."""
    for file in found:
        yield StoredFile(file.uri.removeprefix(prefix), file.num_bytes, file.stamp)


def open_file(path: str) -> BinaryIO:
    """Opens a file for reading, as it is: nothing is decompressed because of its name.

    Raises:
      OSError: it cannot be opened, or is no regular file; a pipe would be waited for.
    """
    if is_remote(path):
        return remote.open_file(path)
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(errno.EINVAL, NOT_REGULAR, path)
    return open(path, "rb")


def read_file(path: str, max_bytes: int) -> bytes:
    """The bytes of a file.

    Args:
      path: of the file.
      max_bytes: a larger file is not read.

    Raises:
      ReadError: it is missing, no regular file, too large, or cannot be read.
    """
    try:
        if not is_remote(path):
            status = os.stat(path)
            if not stat.S_ISREG(status.st_mode):
                raise ReadError(NOT_REGULAR)
            if status.st_size > max_bytes:
                raise ReadError(f"larger than {max_bytes} bytes")
        with open_file(path) as file:
            data = file.read(max_bytes + 1)
    except (ReadError, MemoryError):
        raise
    except OSError as error:
        raise ReadError(reason(error)) from error
    except Exception as error:  # clients of remote filesystems have errors of their own
        raise ReadError(" ".join(str(error).split()) or type(error).__name__) from error
    if len(data) > max_bytes:
        raise ReadError(f"larger than {max_bytes} bytes")
    return data


def read_range(path: str, offset: int, num_bytes: int) -> bytes:
    """A range of a local file.

    Raises:
      ReadError: it cannot be read, or ends before the range does.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            file.seek(offset)
            pieces, missing = [], num_bytes
            while missing and (piece := file.read(min(missing, _PIECE_BYTES))):
                pieces.append(piece)
                missing -= len(piece)
    except OSError as error:
        raise ReadError(reason(error)) from error
    if missing:
        raise ReadError(f"ends {missing} bytes too early")
    return b"".join(pieces)


def reason(error: OSError) -> str:
    """What an error of the system says, in one line, without the file's name."""
    return " ".join((error.strerror or str(error) or type(error).__name__).split())


def _quoted(path: str) -> str:
    """A pattern that matches just `path`."""
    return re.sub(r"[\[*?]", lambda found: f"[{found[0]}]", path)
