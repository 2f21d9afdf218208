"""Opens the place that runs are read from, as a person names it on the command line."""

from pathlib import Path

import yaml
from ml_metadata import errors
from ml_metadata.proto import metadata_store_pb2

from lineage.reading.from_files import FileRuns
from lineage.reading.from_store import StoreRuns
from lineage.reading.source import RunSource
from lineage.record.files import FOLDER
from pipeline import config_file
from pipeline import output_dir as folders
from pipeline.mlmd import connection
from preprocessing import failures
from preprocessing.errors import InputError


def open_runs(
    output_dir: str | None = None, metadata_uri: str | None = None, records: str | None = None
) -> RunSource:
    """Opens a place that runs are read from; nothing is written there.

    Args:
      output_dir: output folder of runs; None: the only one in `runs/`, unless one of the others
        is given.
      metadata_uri: where ML Metadata is; None: as the newest run in the folder had it.
      records: a folder with records; no store is asked then.

    Raises:
      InputError: there is no such place, or ML Metadata cannot be reached.
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
        return _of_store(uri, folder)
    except InputError as error:
        if metadata_uri is not None:
            raise
        files.notes.append(f"read from {files.name}, since {error}")
        return files


def _of_store(uri: str, folder: Path | None) -> StoreRuns:
    if "***" in uri:
        raise InputError("the config of the run was kept without a password; give --metadata_uri")
    config = connection.connection_config(uri, Path())
    if isinstance(config, metadata_store_pb2.ConnectionConfig) and config.HasField("sqlite"):
        if not Path(config.sqlite.filename_uri).is_file():
            raise InputError(f"ML Metadata must be a SQLite file. Received: {uri!r}")
        config.sqlite.connection_mode = metadata_store_pb2.SqliteMetadataSourceConfig.READONLY
    try:
        store = connection.open_store(config)
        store.get_context_types()
    except (errors.StatusError, RuntimeError) as error:
        raise InputError(
            f"ML Metadata at {config_file.masked(uri)} cannot be reached: "
            f"{failures.one_line(error)}"
        ) from error
    return StoreRuns(store, f"ML Metadata at {config_file.masked(uri)}", folder)


def _configured_uri(folder: Path) -> str:
    """`pipeline.metadata_uri` of the newest run, empty where it had none."""
    kept = folders.kept_runs(folder)
    if not kept:
        return ""
    text = folders.config_file(folder, kept[-1]).read_text(encoding="utf-8")
    return (yaml.safe_load(text).get("pipeline") or {}).get("metadata_uri") or ""
