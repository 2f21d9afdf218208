"""The config section `kubeflow.mpijob`: a training in several pods."""

from pydantic import Field

from preprocessing.settings import Float, Settings


class VolcanoOptions(Settings):
    """How the operator's gang scheduler, Volcano, treats the pods: all at once or none."""

    queue: str = ""
    """Queue of Volcano; empty: its default."""
    priority_class: str = ""
    """Priority class of the pods' group."""
    min_available: int | None = Field(None, ge=1)
    """How many pods must be there at once; not set: all of them."""


class MpiJobConfig(Settings):
    """The job of `trainer.launcher: mpijob`; `nodes.HorovodTrainer` is what each worker gets."""

    processes_per_worker: int = Field(1, ge=1)
    """Ranks in each worker pod: one for each of its GPUs."""
    cpu: Float = Field(1.0, gt=0)
    """Limit, in cores, of the step's own pod and of the launcher's, which only watch."""
    memory_gb: Float = Field(4.0, gt=0)
    """Limit of the same, in 10^9 bytes."""
    queue: str = Field("", pattern=r"^([a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?)?$")
    """Local queue of Kueue; empty: none."""
    volcano: VolcanoOptions | None = None
    """Scheduling by Volcano, where the operator runs with it; not set: by Kubernetes."""
    start_timeout_secs: int = Field(3600, ge=1)
    """Time in which the pods must run; that in which a queue holds the job back does not count."""
    ssh_timeout_secs: int = Field(600, ge=1)
    """Time in which all workers must answer the launcher."""
    silence_timeout_secs: int = Field(3600, ge=1)
    """The job is given up when nothing was seen of it for so long while it runs."""
    max_restarts: int = Field(3, ge=0)
    """How often a job whose pods were evicted is made again, from the last checkpoint."""
    ssh_port: int = Field(2222, ge=1024, le=65535)
    """Port of sshd in the workers; above 1023, which need root."""
