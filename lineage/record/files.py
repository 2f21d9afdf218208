"""Records as files: `lineage.json` beside the artifacts, a folder for each run.

<artifacts>/lineage/<run>/lineage.json
"""

from pathlib import Path
from typing import Any

from lineage.record import run as run_lib
from lineage.record.run import Run
from preprocessing.errors import InputError
from preprocessing.files.new_file import write_text

FOLDER = "lineage"
FILE = "lineage.json"


def path_of(artifacts: str | Path, run_id: str) -> Path:
    """Where the record of a run is.

    Args:
      artifacts: the folder of the artifacts.
      run_id: the run.
    """
    return Path(artifacts, FOLDER, run_id, FILE)


def write(path: Path, run: Run) -> None:
    """Writes a record; a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, run.to_json())


def read(path: Path) -> Run:
    """Reads a record, with the URIs of artifacts where they are now.

    A folder of artifacts may have been moved or copied with its records: what lay in it lies
    beside the record still.

    Raises:
      InputError: it cannot be read, or is none.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    return moved(run_lib.parse(text, str(path)), path)


def moved(run: Run, path: Path) -> Run:
    """The record with URIs below the folder that it lies in, if it lies beside artifacts."""
    here = path.absolute().parents[2] if len(path.absolute().parents) > 2 else None
    if here is None or path.absolute() != path_of(here, run.run.id) or run.root == str(here):
        return run
    return relocated(run, str(here))


def relocated(run: Run, root: str) -> Run:
    """The record with the URIs of artifacts below another folder."""
    if not run.root or run.root == root:
        return run
    old = run.root.rstrip("/") + "/"

    def change(value: Any) -> Any:
        if isinstance(value, str):
            return f"{root}/{value.removeprefix(old)}" if value.startswith(old) else value
        if isinstance(value, dict):
            return {key: change(item) for key, item in value.items()}
        return [change(item) for item in value] if isinstance(value, list) else value

    return Run.model_validate({**change(run.model_dump()), "root": root})
