"""The MPIJob of a training (kubeflow.org/v2beta1), as the operator of Kubeflow takes it."""

import os
from collections.abc import Mapping
from typing import Any

import pydantic

from kubeflow import mpijob_pods
from kubeflow.mpijob_options import JobOptions, num_workers
from preprocessing.errors import InputError
from trainer_module.config import TrainConfig

GROUP, VERSION, PLURAL = "kubeflow.org", "v2beta1", "mpijobs"
JOB_LABEL, ROLE_LABEL = "training.kubeflow.org/job-name", "training.kubeflow.org/job-role"
LAUNCHER = "launcher"
# Where Kueue looks for the queue.
_QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
# How long a job that failed can be looked at.
_KEPT_SECS = 24 * 60 * 60


class Owner(pydantic.BaseModel):
    """The step's own pod, with which the job goes away."""

    name: str
    uid: str


def own_pod(environment: Mapping[str, str] = os.environ) -> Owner:
    """The pod of this step, as Kubeflow Pipelines names it.

    Raises:
      InputError: this is no step.
    """
    name, uid = environment.get("KFP_POD_NAME"), environment.get("KFP_POD_UID")
    if not name or not uid:
        raise InputError(
            "an MPIJob is made by a step of Kubeflow Pipelines, which sets KFP_POD_NAME and "
            f"KFP_POD_UID. Received: {name!r} and {uid!r}"
        )
    return Owner(name=name, uid=uid)


def manifest(name: str, owner: Owner, config: TrainConfig, options: JobOptions) -> dict[str, Any]:
    """The MPIJob of a training.

    Args:
      name: of the job.
      owner: the pod with which it goes away.
      config: settings of the training, with folders that all pods see under the same paths.
      options: of the job.

    Raises:
      InputError: the ranks do not fit into the workers.
    """
    job = options.job
    workers = num_workers(config.num_processes, job.processes_per_worker)
    policy: dict[str, Any] = {
        "cleanPodPolicy": "Running",
        "backoffLimit": 0,  # what is tried again, and when, is decided in the step
        "ttlSecondsAfterFinished": _KEPT_SECS,
    }
    if job.volcano is not None:
        policy["schedulingPolicy"] = {
            "minAvailable": job.volcano.min_available or workers + 1,
            **({"queue": job.volcano.queue} if job.volcano.queue else {}),
            **({"priorityClass": job.volcano.priority_class} if job.volcano.priority_class else {}),
        }
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "MPIJob",
        "metadata": {
            "name": name,
            "labels": {
                "app.kubernetes.io/part-of": "effnet",
                **({_QUEUE_LABEL: job.queue} if job.queue else {}),
            },
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Pod", "name": owner.name, "uid": owner.uid}
            ],
        },
        "spec": {
            "slotsPerWorker": job.processes_per_worker,
            "launcherCreationPolicy": "WaitForWorkersReady",
            "mpiImplementation": "OpenMPI",
            "sshAuthMountPath": mpijob_pods.KEYS,
            "runPolicy": policy,
            "mpiReplicaSpecs": {
                "Launcher": mpijob_pods.launcher(config, options),
                "Worker": mpijob_pods.workers(workers, config, options),
            },
        },
    }
