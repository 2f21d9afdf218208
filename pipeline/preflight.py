"""Checks before work starts: the data, the machine, the output folder. No TensorFlow."""

import importlib.util
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pipeline.config import PipelineConfig
from preprocessing.errors import InputError
from preprocessing.sources import storage
from preprocessing.sources.base import Source, Survey
from preprocessing.sources.folder import FolderSource
from preprocessing.sources.manifest import ManifestSource
from trainer_module.config import TrainConfig
from trainer_module.job import host_name

# Images are counted up to here: what follows from the number does not change any more, and a
# corpus of millions must not delay the start.
MAX_COUNTED_IMAGES = 100_000
# Checkpoints and exports of the full model take about this much.
MIN_FREE_BYTES = 10**9


def check(config: PipelineConfig, output_dir: Path) -> Survey:
    """Checks all that can be known before anything runs.

    Args:
      config: the validated config.
      output_dir: folder of the run's results; it is made.

    Returns:
      What a look at the data tells.

    Raises:
      InputError: what is wrong, and how to mend it.
    """
    data = check_data(config)
    check_launcher(config.trainer)
    check_horovod(config.trainer.num_processes)
    check_mlflow(config.pipeline.mlflow_uri)
    check_output_dir(output_dir)
    return data


def check_data(config: PipelineConfig) -> Survey:
    """Looks for the corpus.

    Args:
      config: its sections `data` and `beam` (whose options Beam's filesystems take) say where.

    Raises:
      InputError: it is missing, of no known kind, or holds fewer than two classes.
    """
    data = config.data
    if storage.is_remote(data.path):
        storage.configure(config.beam.args)
    if not data.path.strip():
        raise InputError(f"data.path must not be empty. Received: {data.path!r}")
    source, _ = data.open()
    check_slice_columns(source, config.evaluation.slice_columns)
    survey = source.survey(MAX_COUNTED_IMAGES)
    problems = survey.problems
    if problems.total and problems.total == survey.num_images:
        advice = source.advice(problems.names)
        raise InputError(
            f"there must be images that can be used. Received: {survey.num_images} images of "
            f"{source.path}, and none can be used: {problems}{'; ' if advice else ''}{advice}"
        )
    return survey


def check_slice_columns(source: Source, columns: Sequence[str]) -> None:
    """Looks for the columns by which the evaluation slices, where that is quick.

    Records and tar shards tell their columns only when they are read; there, the evaluation
    refuses a column that no image has.

    Args:
      source: the corpus.
      columns: `evaluation.slice_columns`.

    Raises:
      InputError: no image has one of them.
    """
    missing = set(columns)
    if not missing or source.format not in (FolderSource.format, ManifestSource.format):
        return
    known: set[str] = set()
    if source.format == ManifestSource.format:
        for number, item in enumerate(source.items(), start=1):
            missing -= item.columns.keys()
            known |= item.columns.keys()
            if not missing or number == MAX_COUNTED_IMAGES:
                return
    raise InputError(
        "evaluation.slice_columns names columns of a manifest (not path, label or split) that "
        f"some image has. Received: {', '.join(sorted(missing))}; there are: "
        f"{', '.join(sorted(known)) or 'none'}"
    )


def check_launcher(config: TrainConfig) -> None:
    """Makes sure that this machine can start the training.

    Raises:
      InputError: it asks for a cluster.
    """
    if config.launcher != "local":
        raise InputError(
            "trainer.launcher must be local in a run on this machine: an MPIJob is made on a "
            f"cluster, by a pipeline from `effnet compile`. Received: {config.launcher!r}"
        )


def check_horovod(num_processes: int) -> None:
    """Looks for Horovod, and what it needs, where more than one process is wanted.

    Raises:
      InputError: it is not installed, or cannot run on this machine.
    """
    if num_processes == 1:
        return
    if importlib.util.find_spec("horovod") is None:
        raise InputError(
            f"trainer.num_processes {num_processes} needs Horovod, which is not installed; "
            "run `make setup`, or set trainer.num_processes=1"
        )
    host_name.check()


def check_mlflow(uri: str) -> None:
    """Looks for MLflow's client where a run is to be sent to its server.

    Raises:
      InputError: it is not installed.
    """
    if uri and importlib.util.find_spec("mlflow") is None:
        raise InputError(
            f"pipeline.mlflow_uri {uri} needs MLflow's client, which is not installed; run `pip "
            "install mlflow-skinny`, or leave pipeline.mlflow_uri empty"
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
