"""A training in several pods: the step makes an MPIJob, follows it, and ends as it does.

The launcher's pod runs the same supervisor, and the workers the same ranks, as a training on one
machine (`kubeflow/mpi_launcher.py`, `kubeflow/mpi_worker.py`). The job is owned by the step's pod,
so that it goes away with that, however that ends.

Its state is asked for again and again, and not watched: a question costs the API server little, and
is as good after a time in which it was away.
"""

import hashlib
import signal
from pathlib import Path

from components import progress
from kubeflow import cluster as clusters
from kubeflow import mpijob_manifest, shared_records
from kubeflow.cluster import Cluster
from kubeflow.mpijob_follow import Job, Stopped
from kubeflow.mpijob_options import JobOptions, shared_folder
from kubeflow.mpijob_state import Phase
from preprocessing import interrupts
from preprocessing.errors import InputError
from trainer_module.config import TrainConfig
from trainer_module.run_files import SUMMARY_FILE

POLL_SECS = 5.0


def train(
    config: TrainConfig,
    options: JobOptions,
    cluster: Cluster | None = None,
    poll_secs: float = POLL_SECS,
) -> None:
    """Runs a training to its end, as `components.horovod_trainer.executor.train` does.

    Args:
      config: its settings; `model_dir` lies on a volume that all pods see.
      options: of the job.
      cluster: where; by default the one that this step runs on.
      poll_secs: time between two looks at the job.

    Raises:
      InputError: the training refused its settings or data, the folder is on no volume of all pods,
        or the step's role lacks something.
      RuntimeError: the training failed, or nothing happened for too long.
    """
    if not shared_folder(options, config.model_dir):
        paths = ", ".join(volume.path for volume in options.worker.volumes)
        raise InputError(
            "a training in several pods needs its folder on a volume that all of them see: set "
            "kubeflow.state_dir to a folder on one (ReadWriteMany). Received: "
            f"{config.model_dir!r}, with volumes at {paths or 'no path'}"
        )
    cluster = cluster or clusters.connect()
    owner = mpijob_manifest.own_pod()
    Path(config.model_dir).mkdir(parents=True, exist_ok=True)
    with interrupts.on_sigterm(_stop):
        records = shared_records.share(config, options)
        shared = config.model_copy(update={"launcher": "local", "data_dir": str(records)})
        for restarts in range(options.job.max_restarts + 1):
            name = _name(owner, restarts)
            job = Job(cluster, mpijob_manifest.manifest(name, owner, shared, options))
            ended = job.run(shared, options, poll_secs)
            if ended.phase is Phase.SUCCEEDED:
                break
            text = f"MPIJob {job.name}: {ended.text}"
            if restarts == options.job.max_restarts:
                raise RuntimeError(f"{text}; given up after {restarts} restarts")
            progress.report(
                f"{text}; going on from the last checkpoint in a new job "
                f"({restarts + 1} of {options.job.max_restarts} restarts)"
            )
    if not Path(config.model_dir, SUMMARY_FILE).is_file():
        raise RuntimeError(
            f"MPIJob {job.name} is done, but {config.model_dir} has no {SUMMARY_FILE}: the claims "
            "of kubeflow.nodes.HorovodTrainer must be volumes that all pods share (ReadWriteMany)"
        )
    shared_records.remove(config, records)


def _stop(number: int, _frame: object) -> None:
    """SIGTERM ends what is done, which then tidies up."""
    signal.signal(number, signal.SIG_IGN)  # once is enough
    raise Stopped(128 + number)


def _name(owner: mpijob_manifest.Owner, restarts: int) -> str:
    """A name that no other step's job has, and this one's has each time it is asked for."""
    return f"effnet-{hashlib.sha256(owner.uid.encode()).hexdigest()[:10]}-{restarts}"
