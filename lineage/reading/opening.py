"""Opens the source that runs are read from, as a person names it on the command line."""

from pathlib import Path

import yaml

from lineage.reading.from_files import FileRuns
from lineage.reading.from_store import StoreRuns
from lineage.reading.source import RunSource
from lineage.record.files import FOLDER
from pipeline import output_dir as folders
from pipeline import store_uri
from pipeline.mlmd import connection
from preprocessing.errors import InputError


def open_runs(
    output_dir: str | None = None, metadata_uri: str | None = None, records: str | None = None
) -> RunSource:
    """Opens a source that runs are read from; nothing is written there.

    Args:
      output_dir: output folder of runs; None: the only one in `runs/`, unless one of the others
        is given.
      metadata_uri: where ML Metadata is; None: as the newest run in the folder had it.
      records: a folder with records; no store is asked then.

    Raises:
      InputError: there is no such source, or ML Metadata cannot be reached.
    """
    if records is not None:
        if not Path(records).is_dir():
            raise InputError(f"--records must be a folder of records. Received: {records!r}")
        return FileRuns(Path(records).absolute())
    if metadata_uri is not None and output_dir is None:
        return _of_store(metadata_uri, None)
    folder = folders.find(output_dir)
    uri = metadata_uri or _configured_uri(folder)
    if not uri and (folder / folders.METADATA_FILE).is_file():
        uri = f"sqlite://{folder / folders.METADATA_FILE}"
    files = FileRuns(folder / folders.ARTIFACTS_FOLDER / FOLDER, folder)
    if not uri:
        return files
    try:
        store = _of_store(uri, folder)
    except InputError as error:
        if metadata_uri is not None:
            raise
        files.notes.append(f"read from {files.name}, since {error}")
        return files
    store.notes += _missing(store, folder / folders.ARTIFACTS_FOLDER / FOLDER)
    return store


def store_uri_of(folder: Path, metadata_uri: str | None = None) -> str:
    """Where the store of an output folder is, which must be there.

    Args:
      folder: the output folder.
      metadata_uri: where it is; None: as the newest run in the folder had it.

    Raises:
      InputError: the folder has none.
    """
    uri = metadata_uri or _configured_uri(folder)
    if uri and uri != "sqlite://":
        return uri
    if not (folder / folders.METADATA_FILE).is_file():
        raise InputError(
            f"the output folder must have its ML Metadata, {folders.METADATA_FILE}, which says "
            f"what runs need. Received: {str(folder)!r}; name another store with --metadata_uri"
        )
    return f"sqlite://{folder / folders.METADATA_FILE}"


def store_to_fill(output_dir: str | None, metadata_uri: str | None) -> connection.Connection:
    """The store that records are imported into; it is made where it is not there yet.

    Args:
      output_dir: an output folder, whose store it is unless `metadata_uri` names one; None: the
        only one in `runs/`.
      metadata_uri: where ML Metadata is.

    Raises:
      InputError: there is no such folder, or ML Metadata cannot be reached.
    """
    if metadata_uri is not None and output_dir is None:
        if metadata_uri in ("", "sqlite://"):
            raise InputError(f"--metadata_uri must name a file. Received: {metadata_uri!r}")
        return connection.connect(metadata_uri, Path())
    folder = folders.find(output_dir)
    uri = metadata_uri or _configured_uri(folder)
    return connection.connect(uri, folder / folders.METADATA_FILE)


def _of_store(uri: str, folder: Path | None) -> StoreRuns:
    store = connection.open_to_read(uri)
    return StoreRuns(store, f"ML Metadata at {store_uri.masked(uri)}", folder)


def _missing(store: StoreRuns, records: Path) -> list[str]:
    """A note where the oldest record is not in the store, as after the store was lost."""
    names = [path.name for path in records.iterdir() if path.is_dir()] if records.is_dir() else []
    if not names or store.has(min(names)):
        return []
    return [f"{store.name} lacks runs of which {records} has records; `--import` adds them"]


def _configured_uri(folder: Path) -> str:
    """`pipeline.metadata_uri` of the newest run, empty where it had none."""
    kept = folders.kept_runs(folder)
    if not kept:
        return ""
    text = folders.config_file(folder, kept[-1]).read_text(encoding="utf-8")
    return (yaml.safe_load(text).get("pipeline") or {}).get("metadata_uri") or ""
