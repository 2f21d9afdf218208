"""Files of other machines (`gs://`, `s3://`, `hdfs://`), through Beam's filesystems.

Beam is imported in the functions: who reads local files need not wait for it.

Why `_options` of Beam's S3 filesystem: to make a client of S3 takes some 0.15 s of computing, far
more than reading a picture does, and that filesystem makes one for each file that it opens. So
there is one client a thread here. It needs the pipeline's options (`--s3_endpoint_url` and so
on), which Beam hands to its filesystems in every worker and keeps nowhere that is public; to send
a copy of them along with each source would be a second way for one setting.
"""

import importlib.util
import threading
import warnings
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

from preprocessing.errors import InputError

# By scheme: the extra of this package, and the module that it brings.
_EXTRAS = {
    "gs": ("gcp", "google.cloud.storage"),
    "s3": ("aws", "boto3"),
    "hdfs": ("hdfs", "hdfs"),
}

_of_thread = threading.local()


class RemoteFile(NamedTuple):
    """What Beam tells of a file: its URI, its size, and when it changed last, in nanoseconds."""

    uri: str
    num_bytes: int
    stamp: int


def configure(beam_args: Sequence[str]) -> None:
    """Gives Beam's filesystems their options (`--s3_endpoint_url`, `--hdfs_host` and so on).

    A Beam pipeline does the same when it is made; this is for what happens before.
    """
    file_systems = _file_systems()
    from apache_beam.options.pipeline_options import PipelineOptions

    file_systems.set_options(PipelineOptions(list(beam_args)))


def open_file(uri: str) -> BinaryIO:
    """Opens a file for reading, as it is: nothing is decompressed because of its name."""
    if uri.startswith("s3://"):
        return _s3_client().open(uri, "rb")
    file_systems = _file_systems()
    from apache_beam.io.filesystem import CompressionTypes

    return file_systems.open(uri, compression_type=CompressionTypes.UNCOMPRESSED)


def match(pattern: str) -> list[RemoteFile]:
    """The files that match a pattern, in which `*`, `?` and `[` are special.

    Raises:
      InputError: the filesystem of the path is not installed or cannot be reached.
    """
    try:
        found = _file_systems().match([pattern])[0].metadata_list
    except (OSError, ImportError, RuntimeError, ValueError) as error:
        hint = _missing_extra(pattern.partition("://")[0])
        reason = " ".join(str(error).split())
        raise InputError(f"a path of data cannot be reached{hint}: {reason}") from error
    return [
        RemoteFile(one.path, one.size_in_bytes, round((one.last_updated_in_seconds or 0) * 1e9))
        for one in found
    ]


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
    """Beam's S3 client, one a thread; see the module."""
    from apache_beam.io.aws.s3io import S3IO

    # The filesystem of the scheme has the options that belong to it: a pipeline's, or none.
    options = _file_systems().get_filesystem("s3://")._options
    if getattr(_of_thread, "options", None) is not options:
        _of_thread.client, _of_thread.options = S3IO(options=options), options
    return _of_thread.client
