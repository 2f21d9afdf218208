"""Where source files are: on this machine, or in what Beam's filesystems reach.

Local files go through the system's own calls, which list a folder in one go. Anything with a
scheme (`gs://`, `s3://`, `hdfs://`) goes through `apache_beam.io.filesystems`, which is imported
only then.
"""

import importlib.util
import logging
import os
import posixpath
import re
import stat
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from preprocessing.errors import InputError

# What file managers leave behind. Hidden files are skipped as well.
_LITTER = frozenset({"thumbs.db", "desktop.ini"})
# By scheme: the extra of this package, and the module that it brings.
_EXTRAS = {
    "gs": ("gcp", "google.cloud.storage"),
    "s3": ("aws", "boto3"),
    "hdfs": ("hdfs", "hdfs"),
}
# A range of a remote file is one request; a larger one is read in pieces.
_PIECE_BYTES = 1 << 24

_of_thread = threading.local()


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
    """

    name: str
    num_bytes: int
    stamp: int


def is_remote(path: str) -> bool:
    """Whether a path is a URI of another filesystem."""
    return re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", path) is not None


def configure(beam_args: Sequence[str]) -> None:
    """Gives Beam's filesystems their options (`--s3_endpoint_url`, `--hdfs_host` and so on).

    A Beam pipeline does the same when it is made; this is for what happens before.
    """
    file_systems = _file_systems()
    from apache_beam.options.pipeline_options import PipelineOptions

    file_systems.set_options(PipelineOptions(list(beam_args)))


def join(folder: str, name: str) -> str:
    """The path of `name`, seen from `folder`; a name that is absolute or a URI stays as it is."""
    if is_remote(name):
        return name
    return (posixpath if is_remote(folder) else os.path).join(folder, name)


def absolute(path: str) -> str:
    """The path, seen from the root; a URI, and an empty path, stay as they are."""
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
    return any(meta.path == path for meta in match(quoted(path)))


def file_at(path: str) -> StoredFile:
    """Size and stamp of a file, named by its whole path; both 0 where they cannot be told."""
    if is_remote(path):
        return next(iter(stored(match(quoted(path)), "")), StoredFile(path, 0, 0))
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        logging.info("%s cannot be examined: %s", path, error)
        return StoredFile(path, 0, 0)
    return StoredFile(path, status.st_size, status.st_mtime_ns)


def open_file(path: str) -> BinaryIO:
    """Opens a file for reading, as it is: nothing is decompressed because of its name."""
    if not is_remote(path):
        return open(path, "rb")
    if path.startswith("s3://"):
        return _s3_client().open(path, "rb")
    file_systems = _file_systems()
    from apache_beam.io.filesystem import CompressionTypes

    return file_systems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)


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
                raise ReadError("not a regular file")
            if status.st_size > max_bytes:
                raise ReadError(f"larger than {max_bytes} bytes")
        with open_file(path) as file:
            data = file.read(max_bytes + 1)
    except (ReadError, MemoryError):
        raise
    except OSError as error:
        raise ReadError(_reason(error)) from error
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
        raise ReadError(_reason(error)) from error
    if missing:
        raise ReadError(f"ends {missing} bytes too early")
    return b"".join(pieces)


def match(pattern: str) -> list:
    """Beam's metadata of the remote files that match a pattern.

    Raises:
      InputError: the filesystem of the path is not installed or cannot be reached.
    """
    try:
        return _file_systems().match([pattern])[0].metadata_list
    except (OSError, ImportError, RuntimeError, ValueError) as error:
        hint = _missing_extra(pattern.partition("://")[0])
        reason = " ".join(str(error).split())
        raise InputError(f"a path of data cannot be reached{hint}: {reason}") from error


def stored(found: list, prefix: str) -> Iterator[StoredFile]:
    """What `match` found, named without `prefix`."""
    for meta in found:
        stamp = round((meta.last_updated_in_seconds or 0) * 1e9)
        yield StoredFile(meta.path.removeprefix(prefix), meta.size_in_bytes, stamp)


def quoted(path: str) -> str:
    """A pattern that matches just `path`."""
    return re.sub(r"[\[*?]", lambda found: f"[{found[0]}]", path)


def _missing_extra(scheme: str) -> str:
    extra, module = _EXTRAS.get(scheme, ("", ""))
    try:
        missing = bool(module) and importlib.util.find_spec(module) is None
    except ModuleNotFoundError:  # a package above it
        missing = True
    return f" ({scheme}:// needs the extra {extra!r} of this package)" if missing else ""


def _file_systems():
    with warnings.catch_warnings():
        # Of the age of libraries that Beam imports; a person who looks at data cannot mend that.
        warnings.simplefilter("ignore", FutureWarning)
        from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.value_provider import RuntimeValueProvider

    # Without any options at all, Beam's filesystems refuse to start. A pipeline's own come first.
    if RuntimeValueProvider.runtime_options is None:
        RuntimeValueProvider.set_runtime_options({})
    return FileSystems


def _s3_client():
    """Beam's S3 client, one a thread; its filesystem would make one for each file.

    To make one takes some 0.15 s of computing, which is far more than reading a picture takes.
    """
    from apache_beam.io.aws.s3io import S3IO

    # The filesystem of the scheme has the options that belong to it: a pipeline's, or none.
    options = _file_systems().get_filesystem("s3://")._options
    if getattr(_of_thread, "options", None) is not options:
        _of_thread.client, _of_thread.options = S3IO(options=options), options
    return _of_thread.client


def _reason(error: OSError) -> str:
    return " ".join((error.strerror or str(error) or type(error).__name__).split())
