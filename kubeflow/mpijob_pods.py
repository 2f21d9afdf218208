"""The pods of a training's MPIJob: the workers, which run sshd, and the launcher.

The launcher starts the ranks in the workers. Nothing in them needs root or an account of the
cluster.
"""

from typing import Any

from kubeflow import platform_document
from kubeflow.mpijob_options import JobOptions
from pipeline.kubeflow_config import NodeOptions
from trainer_module.config import TrainConfig

CONTAINER = "training"
# Where the operator mounts the keys of ssh, for no user in particular.
KEYS = "/etc/mpi-ssh"
ISTIO = "sidecar.istio.io/inject"
# Ranks get 60 s for a checkpoint.
_GRACE_SECS = 120


def launcher(config: TrainConfig, options: JobOptions) -> dict[str, Any]:
    """The replica of the launcher."""
    job = options.job
    arguments = ["--keys", KEYS, "--port", str(job.ssh_port)]
    arguments += ["--timeout_secs", str(job.ssh_timeout_secs), "--config", config.model_dump_json()]
    limits = NodeOptions(cpu=job.cpu, memory_gb=job.memory_gb)
    container = {
        # Kubernetes would replace $(NAME).
        "command": [
            "python",
            "-m",
            "kubeflow.mpi_launcher",
            *(a.replace("$(", "$$(") for a in arguments),
        ],
        "env": _plain_env(options.worker),
        "resources": _resources(limits),
        "volumeMounts": _mounts(options.worker, with_shared_memory=False),
    }
    return _replica(1, container, options)


def workers(count: int, config: TrainConfig, options: JobOptions) -> dict[str, Any]:
    """The replicas of the workers."""
    worker, port = options.worker, options.job.ssh_port
    arguments = ["--model_dir", config.model_dir, "--keys", KEYS, "--port", str(port)]
    secret = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": entry.name, "key": key}}}
        for entry in worker.secrets
        for name, key in sorted(entry.env.items())
    ]
    if secret:
        # Not by horovodrun, which puts variables into command lines.
        arguments += ["--variables", *(variable["name"] for variable in secret)]
    container = {
        "command": ["python", "-m", "kubeflow.mpi_worker", *arguments],
        "env": [*_plain_env(worker), *secret],
        "resources": _resources(worker),
        "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 2},
        "volumeMounts": _mounts(worker, with_shared_memory=True),
    }
    return _replica(count, container, options)


def _replica(replicas: int, container: dict[str, Any], options: JobOptions) -> dict[str, Any]:
    worker = options.worker
    labels = {**worker.labels, ISTIO: "false"}
    pod = {
        "containers": [
            {
                "name": CONTAINER,
                "image": options.image,
                "imagePullPolicy": worker.image_pull_policy or "IfNotPresent",
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                },
                **{key: value for key, value in container.items() if value},
            }
        ],
        "automountServiceAccountToken": False,
        # Their variables, for all services of the namespace, would be in every command line.
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "terminationGracePeriodSeconds": _GRACE_SECS,
        "nodeSelector": dict(worker.node_selector),
        "tolerations": [_toleration(entry) for entry in worker.tolerations],
        "imagePullSecrets": [{"name": name} for name in worker.image_pull_secrets],
        "volumes": _volumes(worker),
    }
    return {
        "replicas": replicas,
        "restartPolicy": "Never",  # else the launcher's log is lost
        "template": {
            "metadata": {"labels": labels, "annotations": {**worker.annotations, ISTIO: "false"}},
            "spec": {key: value for key, value in pod.items() if value not in ({}, [])},
        },
    }


def _plain_env(worker: NodeOptions) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in sorted(worker.env.items())]


def _resources(options: NodeOptions) -> dict[str, Any]:
    limits: dict[str, str] = {}
    if options.cpu is not None:
        limits["cpu"] = f"{options.cpu:g}"
    if options.memory_gb is not None:
        limits["memory"] = f"{round(options.memory_gb * 1000)}M"
    if options.gpus:
        limits[options.gpu_type or platform_document.GPU_TYPE] = str(options.gpus)
    return {"limits": limits} if limits else {}


def _shared_memory_gb(worker: NodeOptions) -> float:
    given = worker.shared_memory_gb
    return platform_document.TRAINER_SHARED_MEMORY_GB if given is None else given


def _volumes(worker: NodeOptions) -> list[dict[str, Any]]:
    claims = dict.fromkeys(volume.claim for volume in worker.volumes)
    volumes = [
        {"name": f"claim-{i}", "persistentVolumeClaim": {"claimName": claim}}
        for i, claim in enumerate(claims)
    ]
    secrets = [entry.name for entry in worker.secrets if entry.path is not None]
    volumes += [
        {"name": f"secret-{i}", "secret": {"secretName": name}}
        for i, name in enumerate(dict.fromkeys(secrets))
    ]
    size = round(_shared_memory_gb(worker) * 1000)
    if size:
        memory = {"medium": "Memory", "sizeLimit": f"{size}M"}
        volumes.append({"name": "shm", "emptyDir": memory})
    return volumes


def _mounts(worker: NodeOptions, *, with_shared_memory: bool) -> list[dict[str, str]]:
    claims = list(dict.fromkeys(volume.claim for volume in worker.volumes))
    secrets = [entry for entry in worker.secrets if entry.path is not None]
    names = list(dict.fromkeys(entry.name for entry in secrets))
    mounts = [
        {"name": f"claim-{claims.index(volume.claim)}", "mountPath": volume.path}
        for volume in worker.volumes
    ]
    mounts += [
        {"name": f"secret-{names.index(entry.name)}", "mountPath": str(entry.path)}
        for entry in secrets
    ]
    if with_shared_memory and round(_shared_memory_gb(worker) * 1000):
        mounts.append({"name": "shm", "mountPath": "/dev/shm"})
    return mounts


def _toleration(given) -> dict[str, Any]:
    values = {"key": given.key, "operator": given.operator, "value": given.value}
    values |= {"effect": given.effect, "tolerationSeconds": given.seconds}
    return {key: value for key, value in values.items() if value not in ("", None)}
