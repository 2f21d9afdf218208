"""The records of a training, where all of its pods see them.

Kubeflow's launcher fetches what a step reads into that step's own pod.
"""

import shutil
from pathlib import Path

from components import progress
from kubeflow.mpijob_options import JobOptions, shared_folder
from preprocessing.files import disk_full, publish
from trainer_module.config import TrainConfig

FOLDER = "records"


def share(config: TrainConfig, options: JobOptions) -> Path:
    """Copies the records of a training to a volume that all pods see.

    Returns:
      their folder: `data_dir` itself where it lies on such a volume; else one that belongs to the
      training's folder, whose name stands for the records' content. It is complete when it is
      there, so what was copied for a training that was cut off is used again.

    Raises:
      DiskFullError: they do not fit there.
    """
    source = Path(config.data_dir)
    if shared_folder(options, str(source)):
        return source
    target = _folder(config)
    if target.is_dir():
        return target
    progress.report("copying the records to the volume that all pods see")
    with disk_full.naming(target), publish.staged(str(target)) as staging:
        shutil.copytree(source, staging, dirs_exist_ok=True)
    return target


def remove(config: TrainConfig, records: Path) -> None:
    """Removes what `share` copied, once the training is done."""
    if records == _folder(config):
        shutil.rmtree(records, ignore_errors=True)


def _folder(config: TrainConfig) -> Path:
    model_dir = Path(config.model_dir)
    return model_dir.parent.parent / FOLDER / model_dir.name
