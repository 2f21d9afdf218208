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
# Held while a run lives.
LOCK_FILE = ".lock"


def report_dir(output_dir: Path, run_id: str) -> Path:
    """The folder of a run's page and config."""
    return output_dir / "reports" / run_id


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
    return sorted(path.parent.name for path in output_dir.glob("reports/*/config.yaml"))


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
