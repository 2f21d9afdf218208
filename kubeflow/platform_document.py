"""The second document of a compiled pipeline: what Kubernetes gives to each step.

The fields are those of `KubernetesExecutorConfig` of Kubeflow Pipelines
(kubernetes_platform/proto/kubernetes_executor_config.proto) that its backends of 2.5 and 2.17 both
take. A backend ignores a document that it does not understand without a word, so these classes
take nothing else.
"""

from collections.abc import Mapping
from typing import Any, Literal

import pydantic
from pydantic.alias_generators import to_camel

from pipeline.kubeflow_config import TRAINER, NodeOptions

# Processes of a training share tensors there, and Docker gives 64 MB.
TRAINER_SHARED_MEMORY_GB = 2.0
GPU_TYPE = "nvidia.com/gpu"
_ISTIO = "sidecar.istio.io/inject"


class _Message(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(
        extra="forbid", strict=True, frozen=True, alias_generator=to_camel, populate_by_name=True
    )


class PvcMount(_Message):
    """A volume claim at a path."""

    constant: str
    mount_path: str


class EmptyDirMount(_Message):
    """A folder that lives as long as the pod."""

    volume_name: str
    mount_path: str
    medium: Literal["", "Memory"] = ""
    size_limit: str = ""


class NodeSelector(_Message):
    """Labels of machines."""

    labels: dict[str, str]


class Toleration(_Message):
    """A taint that is tolerated."""

    key: str = ""
    operator: Literal["Exists", "Equal"]
    value: str = ""
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = ""
    toleration_seconds: str = ""  # an int64, which JSON of protos has as text


class SecretKeyToEnv(_Message):
    """A key of a secret, and its variable."""

    secret_key: str
    env_var: str


class SecretAsEnv(_Message):
    """A secret as variables."""

    secret_name: str
    key_to_env: list[SecretKeyToEnv]


class SecretAsVolume(_Message):
    """A secret as files."""

    secret_name: str
    mount_path: str


class ImagePullSecret(_Message):
    """A secret for the registry."""

    secret_name: str


class PodMetadata(_Message):
    """Labels and annotations of the pod."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class ExecutorConfig(_Message):
    """What the pod of one executor gets."""

    pvc_mount: list[PvcMount] = []
    empty_dir_mounts: list[EmptyDirMount] = []
    node_selector: NodeSelector | None = None
    tolerations: list[Toleration] = []
    secret_as_env: list[SecretAsEnv] = []
    secret_as_volume: list[SecretAsVolume] = []
    image_pull_policy: Literal["", "Always", "IfNotPresent", "Never"] = ""
    image_pull_secret: list[ImagePullSecret] = []
    active_deadline_seconds: str = ""  # an int64
    pod_metadata: PodMetadata | None = None


class Deployment(_Message):
    """The executors by label."""

    executors: dict[str, ExecutorConfig]


class Platform(_Message):
    """What is for one platform."""

    deployment_spec: Deployment


class Platforms(_Message):
    """The only platform there is."""

    kubernetes: Platform


class PlatformDocument(_Message):
    """The document."""

    platforms: Platforms


def document(options: Mapping[str, NodeOptions], labels: Mapping[str, str]) -> dict[str, Any]:
    """The platform document.

    Args:
      options: of each node.
      labels: the label of each node's executor in the pipeline document.

    Returns:
      The document as YAML has it, without what is empty.
    """
    executors = {label: executor_config(node, options[node]) for node, label in labels.items()}
    whole = PlatformDocument(
        platforms=Platforms(kubernetes=Platform(deployment_spec=Deployment(executors=executors)))
    )
    return whole.model_dump(exclude_defaults=True, by_alias=True)


def executor_config(node: str, options: NodeOptions) -> ExecutorConfig:
    """What the pod of a node gets."""
    shared_gb = options.shared_memory_gb
    annotations, labels = dict(options.annotations), dict(options.labels)
    if node == TRAINER:
        shared_gb = TRAINER_SHARED_MEMORY_GB if shared_gb is None else shared_gb
        # A proxy between processes of a training breaks their connections.
        annotations.setdefault(_ISTIO, "false")
        labels.setdefault(_ISTIO, "false")
    metadata = PodMetadata(labels=labels, annotations=annotations)
    selector = options.node_selector
    return ExecutorConfig(
        pvc_mount=[PvcMount(constant=v.claim, mount_path=v.path) for v in options.volumes],
        empty_dir_mounts=[_shared_memory(shared_gb)] if shared_gb else [],
        node_selector=NodeSelector(labels=dict(selector)) if selector else None,
        tolerations=[_toleration(toleration) for toleration in options.tolerations],
        secret_as_env=[
            SecretAsEnv(
                secret_name=secret.name,
                key_to_env=[SecretKeyToEnv(secret_key=k, env_var=v) for v, k in secret.env.items()],
            )
            for secret in options.secrets
            if secret.env
        ],
        secret_as_volume=[
            SecretAsVolume(secret_name=secret.name, mount_path=secret.path)
            for secret in options.secrets
            if secret.path is not None
        ],
        image_pull_policy=options.image_pull_policy or "",
        image_pull_secret=[
            ImagePullSecret(secret_name=name) for name in options.image_pull_secrets
        ],
        active_deadline_seconds=str(options.timeout_secs) if options.timeout_secs else "",
        pod_metadata=metadata if labels or annotations else None,
    )


def resources(options: NodeOptions) -> dict[str, Any]:
    """The limits of a node, as the container in the pipeline document has them."""
    found: dict[str, Any] = {}
    if options.cpu is not None:
        found["cpuLimit"] = float(options.cpu)
    if options.memory_gb is not None:
        found["memoryLimit"] = float(options.memory_gb)
    if options.gpus:
        found["accelerator"] = {
            "type": options.gpu_type or GPU_TYPE,
            "count": str(options.gpus),
        }
    return found


def _shared_memory(size_gb: float) -> EmptyDirMount:
    megabytes = max(1, round(size_gb * 1000))
    return EmptyDirMount(
        volume_name="shm", mount_path="/dev/shm", medium="Memory", size_limit=f"{megabytes}M"
    )


def _toleration(given) -> Toleration:
    return Toleration(
        key=given.key,
        operator=given.operator,
        value=given.value,
        effect=given.effect,
        toleration_seconds="" if given.seconds is None else str(given.seconds),
    )
