"""The images of a model: those that it was trained and evaluated on, and those left out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lineage.record.run import Run
from preprocessing import features
from preprocessing.errors import InputError
from preprocessing.stage import dataset_manifest


def images_of(run: Run) -> Iterator[dict[str, Any]]:
    """Yields the rows of the manifest of a run's dataset, a row group in memory at a time.

    Raises:
      InputError: the run has no dataset, or its manifest cannot be read.
    """
    if run.dataset is None:
        raise InputError(f"--images needs a run that made a dataset. Received: {run.run.id!r}")
    path = Path(run.dataset.uri, features.MANIFEST_FILE)
    if not path.is_file():
        raise InputError(f"--images reads the manifest of the dataset, which is not here: {path}")
    return dataset_manifest.read_manifest(str(path))
