"""What a step has to know of the MPIJob that it makes."""

import posixpath

from pipeline.config import PipelineConfig
from pipeline.kubeflow_config import TRAINER, NodeOptions
from pipeline.mpijob_config import MpiJobConfig
from preprocessing.errors import InputError
from preprocessing.settings import Settings


class JobOptions(Settings):
    """What a step has to know to make the job; given to it when compiling."""

    image: str
    """Container image of all pods."""
    worker: NodeOptions
    """What each worker gets."""
    job: MpiJobConfig
    """The config's section."""


def num_workers(num_processes: int, processes_per_worker: int) -> int:
    """How many workers a training has.

    Raises:
      InputError: they would not all be full, or there is nothing to share.
    """
    if num_processes < 2 or num_processes % processes_per_worker:
        raise InputError(
            "trainer.num_processes must be 2 or more and a multiple of "
            f"kubeflow.mpijob.processes_per_worker ({processes_per_worker}) with trainer.launcher "
            f"mpijob. Received: {num_processes}"
        )
    return num_processes // processes_per_worker


def shared_folder(options: JobOptions, path: str) -> bool:
    """Whether all pods of the job see a folder: it lies on one of the workers' volumes."""
    whole = f"{posixpath.normpath(path)}/"
    return any(whole.startswith(f"{volume.path}/") for volume in options.worker.volumes)


def of_config(config: PipelineConfig, image: str) -> JobOptions | None:
    """The options of the job of a config; None where the training runs in the step.

    Raises:
      InputError: the job could not run, or is not set up for what the config asks for.
    """
    if config.trainer.launcher != "mpijob":
        return None
    section, worker = config.kubeflow.mpijob, config.kubeflow.of_node(TRAINER)
    if not config.kubeflow.state_dir:
        raise InputError(
            "kubeflow.state_dir must be set with trainer.launcher mpijob: a folder on a volume "
            "that all pods share (ReadWriteMany), where the checkpoints are. Received: ''"
        )
    if config.trainer.hostfile:
        raise InputError(
            "trainer.hostfile must not be set with trainer.launcher mpijob, whose operator writes "
            f"that file. Received: {config.trainer.hostfile!r}"
        )
    num_workers(config.trainer.num_processes, section.processes_per_worker)
    if worker.gpus and worker.gpus != section.processes_per_worker:
        raise InputError(
            "kubeflow.mpijob.processes_per_worker must be the GPUs of a worker "
            f"(kubeflow.nodes.{TRAINER}.gpus). Received: {section.processes_per_worker} and "
            f"{worker.gpus}"
        )
    return JobOptions(image=worker.image or image, worker=worker, job=section)


def watching(config: PipelineConfig) -> NodeOptions:
    """What the step's own pod gets where others train: what a worker gets, and less of it."""
    section = config.kubeflow.mpijob
    return config.kubeflow.of_node(TRAINER).model_copy(
        update={
            "cpu": section.cpu,
            "memory_gb": section.memory_gb,
            "gpus": None,
            "shared_memory_gb": 0.0,
        }
    )
