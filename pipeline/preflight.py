"""Checks before work starts: the data, the machine, the output folder. No TensorFlow."""

import dataclasses
import importlib.util
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipeline.config import PipelineConfig
from preprocessing.errors import InputError

# Files are counted up to here: what follows from the number does not change any more, and a
# corpus of millions must not delay the start.
MAX_COUNTED_FILES = 100_000
# Checkpoints and exports of the full model take about this much.
MIN_FREE_BYTES = 10**9


@dataclasses.dataclass(frozen=True)
class DataFolder:
    """What the data folder holds.

    Attributes:
      num_classes: sub-folders with at least one file.
      num_files: files in them, at most MAX_COUNTED_FILES.
    """

    num_classes: int
    num_files: int


def check(config: PipelineConfig, output_dir: Path) -> DataFolder:
    """Checks all that can be known before anything runs.

    Args:
      config: the validated config.
      output_dir: folder of the run's results; it is made.

    Returns:
      What the data folder holds.

    Raises:
      InputError: what is wrong, and how to mend it.
    """
    data = check_data(config.data.path)
    check_horovod(config.trainer.num_processes)
    check_output_dir(output_dir)
    return data


def check_data(path: str) -> DataFolder:
    """Looks for at least two classes with files.

    Raises:
      InputError: the folder is missing or holds fewer than two classes.
    """
    folder = Path(path)
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing there"
        raise InputError(
            f"data.path must be a folder with one sub-folder of images a class. "
            f"Received: {path!r} ({found}, seen from {Path.cwd()})"
        )
    try:
        classes = sorted(entry.path for entry in os.scandir(folder) if _is_class(entry))
    except OSError as error:
        raise InputError(f"data.path {path!r} cannot be read: {error.strerror}") from None
    counts = {}
    room = MAX_COUNTED_FILES
    for name in classes:
        # At least one file of each class is looked for, even when enough were counted.
        counts[name] = sum(1 for _ in itertools.islice(_files(name), max(room, 1)))
        room -= counts[name]
    full = sum(count > 0 for count in counts.values())
    if full < 2:
        raise InputError(
            f"data.path must hold at least two sub-folders (classes) with images. "
            f"Received: {path!r} with {full} such sub-folder{'' if full == 1 else 's'}"
        )
    return DataFolder(num_classes=full, num_files=min(sum(counts.values()), MAX_COUNTED_FILES))


def check_horovod(num_processes: int) -> None:
    """Looks for Horovod where more than one process is wanted.

    Raises:
      InputError: it is not installed.
    """
    if num_processes > 1 and importlib.util.find_spec("horovod") is None:
        raise InputError(
            f"trainer.num_processes {num_processes} needs Horovod, which is not installed; "
            "run `make setup`, or set trainer.num_processes=1"
        )


def check_output_dir(output_dir: Path) -> None:
    """Makes the folder and tries to write into it.

    Raises:
      InputError: it cannot be made or written to, or its disk is full.
    """
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output_dir):
            free_bytes = shutil.disk_usage(output_dir).free
    except OSError as error:
        raise InputError(
            f"the output folder must be writable; choose another with --output_dir. "
            f"Received: {str(output_dir)!r} ({error.strerror})"
        ) from None
    if free_bytes < MIN_FREE_BYTES:
        raise InputError(
            f"the output folder's disk needs {MIN_FREE_BYTES / 1e9:.0f} GB of free space; free "
            f"some, or choose another with --output_dir. Received: {str(output_dir)!r} with "
            f"{free_bytes / 1e9:.1f} GB"
        )


def _is_class(entry: os.DirEntry) -> bool:
    return entry.is_dir() and not entry.name.startswith(".")


def _files(folder: str) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (os.path.join(parent, name) for name in names if not name.startswith("."))
