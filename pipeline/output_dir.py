"""Where the output folder of a local run keeps things, and its lock."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from preprocessing.errors import InputError
from preprocessing.files import locks

SUMMARY_FILE = "summary.json"
METADATA_FILE = "metadata.sqlite"
ARTIFACTS_FOLDER = "artifacts"
SERVING_FOLDER = "serving"
REPORTS_FOLDER = "reports"
# Held while a run lives.
LOCK_FILE = ".lock"


def report_dir(output_dir: Path, run_id: str) -> Path:
    """The folder of a run's page and config."""
    return output_dir / REPORTS_FOLDER / run_id


def report_file(output_dir: Path, run_id: str) -> Path:
    """The page of a run."""
    return report_dir(output_dir, run_id) / "index.html"


def config_file(output_dir: Path, run_id: str) -> Path:
    """The resolved config of a run."""
    return report_dir(output_dir, run_id) / "config.yaml"


def log_dir(output_dir: Path, run_id: str) -> Path:
    """The folder of a run's logs, one file per node."""
    return output_dir / "logs" / run_id


def kept_runs(output_dir: Path) -> list[str]:
    """Ids of the runs whose config was kept, the oldest first."""
    return sorted(path.parent.name for path in output_dir.glob(f"{REPORTS_FOLDER}/*/config.yaml"))


def find(given: str | None) -> Path:
    """The output folder that a command means.

    Args:
      given: what the person said, None for nothing: then it is the only one in `runs/`.

    Returns:
      Its absolute path.

    Raises:
      InputError: it is no folder, or there is not exactly one in `runs/`.
    """
    if given is not None:
        folder = Path(given).absolute()
        if not folder.is_dir():
            raise InputError(
                f"--output_dir must be the output folder of a run. Received: {given!r}"
            )
        return folder
    names = (SUMMARY_FILE, METADATA_FILE, ARTIFACTS_FOLDER)
    known = sorted({path.parent for name in names for path in Path("runs").glob(f"*/{name}")})
    if len(known) != 1:
        found = ", ".join(str(folder) for folder in known) or "none"
        raise InputError(f"--output_dir must name the output folder of a run. In runs/: {found}")
    return known[0].absolute()


@contextlib.contextmanager
def locked(output_dir: Path) -> Iterator[None]:
    """Holds the folder for one run. The system lets go of the lock when the process ends.

    Raises:
      InputError: another run uses the folder, or its file system has no locks.
    """
    with open(output_dir / LOCK_FILE, "w", encoding="utf-8") as lock:
        try:
            is_ours = locks.lock(lock)
        except locks.NoLocksError as error:
            raise InputError(
                "the output folder must be on a file system with locks; choose another with "
                f"--output_dir. Received: {str(output_dir)!r} ({error.strerror})"
            ) from None
        if not is_ours:
            raise InputError(
                "an output folder serves one run at a time; wait for the other, or choose another "
                f"with --output_dir. Received: {str(output_dir)!r}"
            )
        yield
