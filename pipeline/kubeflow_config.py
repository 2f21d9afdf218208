"""The config section `kubeflow`: where the steps of a run on a cluster find and keep things.

What Kubernetes would refuse only when a step's pod is made is refused here.
"""

import posixpath
import re
from typing import Annotated, Literal

import pydantic
from pydantic import Field

from pipeline import node_names
from pipeline.mpijob_config import MpiJobConfig
from preprocessing.settings import Float, Settings

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_WORD = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_LABEL_VALUE = re.compile(rf"({_WORD})?")
_LABEL_KEY = re.compile(rf"({_LABEL}(\.{_LABEL})*/)?{_WORD}")
_RESOURCE = re.compile(rf"{_LABEL}(\.{_LABEL})+/{_WORD}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What the launcher mounts itself, and what programs need as it is.
_TAKEN_PATHS = ("/gcs", "/s3", "/minio", "/.local", "/.cache", "/.config", "/kfp-launcher", "/tmp")
_TAKEN_PATHS += ("/dev", "/etc", "/proc", "/sys", "/usr", "/bin", "/lib", "/sbin")
# The node whose options are those of a training.
TRAINER = "HorovodTrainer"
ROOT_SCHEMES = ("minio://", "s3://", "gs://")


def _object_name(value: str) -> str:
    if len(value) > 253 or not re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", value):
        raise ValueError("must be a Kubernetes name: lower-case letters, digits, '-' and '.'")
    return value


def _mount_path(value: str) -> str:
    if not value.startswith("/") or posixpath.normpath(value) != value or value == "/":
        raise ValueError("must be an absolute path below /, as in /data")
    taken = next((path for path in _TAKEN_PATHS if f"{value}/".startswith(f"{path}/")), None)
    if taken is not None:
        raise ValueError(f"must not be in {taken}, which the step's container needs itself")
    if ":" in value:
        raise ValueError("must not have a ':' in it")
    return value


def _label_map(values: dict[str, str]) -> dict[str, str]:
    for key, value in values.items():
        if not _LABEL_KEY.fullmatch(key):
            raise ValueError(f"must have keys as Kubernetes takes them. Received: {key!r}")
        if not _LABEL_VALUE.fullmatch(value):
            raise ValueError(
                "must have values of at most 63 letters, digits, '-', '_' and '.'. "
                f"Received: {value!r}"
            )
    return values


def _annotation_map(values: dict[str, str]) -> dict[str, str]:
    _label_map(dict.fromkeys(values, ""))
    return values


def _environment(values: dict[str, str]) -> dict[str, str]:
    for name in values:
        if not _VARIABLE.fullmatch(name):
            raise ValueError(f"must have names of variables as keys. Received: {name!r}")
    return values


ObjectName = Annotated[str, pydantic.AfterValidator(_object_name)]
MountPath = Annotated[str, pydantic.AfterValidator(_mount_path)]
Labels = Annotated[dict[str, str], pydantic.AfterValidator(_label_map)]
Annotations = Annotated[dict[str, str], pydantic.AfterValidator(_annotation_map)]
Environment = Annotated[dict[str, str], pydantic.AfterValidator(_environment)]


class Volume(Settings):
    """A volume claim that is there already."""

    claim: ObjectName
    """Name of the PersistentVolumeClaim in the run's namespace."""
    path: MountPath
    """Where the step sees it."""


class Secret(Settings):
    """Values of a secret as variables of the environment, its files in a folder, or both."""

    name: ObjectName
    """Name of the secret in the run's namespace."""
    env: Environment = Field(default_factory=dict)
    """Keys of the secret by the variable that gets them, as in {AWS_ACCESS_KEY_ID: accesskey}."""
    path: MountPath | None = None
    """Folder in which each key is a file."""

    @pydantic.model_validator(mode="after")
    def _is_used(self) -> "Secret":
        if not self.env and self.path is None:
            raise ValueError(f"secret {self.name!r} must have env or path, or nothing sees it")
        return self


class Toleration(Settings):
    """A taint of nodes on which the step may run all the same."""

    key: str = ""
    """The taint's key; empty: every taint."""
    operator: Literal["Exists", "Equal"] = "Equal"
    """Whether the taint must have the value, or only be there."""
    value: str = ""
    """The taint's value."""
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = ""
    """The taint's effect; empty: every effect."""
    seconds: int | None = Field(None, ge=0)
    """How long after the taint is set; only with NoExecute."""

    @pydantic.model_validator(mode="after")
    def _fits_together(self) -> "Toleration":
        if self.operator == "Exists" and self.value:
            raise ValueError("a toleration with operator Exists must have no value")
        if self.operator == "Equal" and not self.key:
            raise ValueError("a toleration without a key must have operator Exists")
        if self.seconds is not None and self.effect != "NoExecute":
            raise ValueError("a toleration has seconds only with effect NoExecute")
        return self


class NodeOptions(Settings):
    """How a step runs on the cluster; what is not set is as in `defaults`."""

    image: str | None = Field(None, pattern=r"^[^\s{}$]+$")
    """Container image; not set: that of `effnet compile --image`."""
    cpu: Float | None = Field(None, gt=0)
    """Limit, in cores."""
    memory_gb: Float | None = Field(None, gt=0)
    """Limit, in 10^9 bytes."""
    gpus: int | None = Field(None, ge=0)
    """Number of GPUs."""
    gpu_type: str | None = None
    """Their resource name in Kubernetes; not set: nvidia.com/gpu."""
    shared_memory_gb: Float | None = Field(None, ge=0)
    """Size of /dev/shm, in memory, in 10^9 bytes; 0: as the cluster has it (often 64 MB). Not set:
    2 for HorovodTrainer, whose processes share it."""
    timeout_secs: int | None = Field(None, ge=1)
    """The step is ended after so many seconds."""
    node_selector: Labels = Field(default_factory=dict)
    """Labels of the machines that it may run on."""
    tolerations: list[Toleration] = Field(default_factory=list)
    """Taints that it tolerates."""
    volumes: list[Volume] = Field(default_factory=list)
    """Volume claims that it sees."""
    secrets: list[Secret] = Field(default_factory=list)
    """Secrets that it sees."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    """When the image is fetched."""
    image_pull_secrets: list[ObjectName] = Field(default_factory=list)
    """Secrets with which it is fetched."""
    env: Environment = Field(default_factory=dict)
    """Variables of the environment."""
    labels: Labels = Field(default_factory=dict)
    """Labels of the step's pod."""
    annotations: Annotations = Field(default_factory=dict)
    """Annotations of the step's pod."""

    @pydantic.field_validator("gpu_type")
    @classmethod
    def _resource_name(cls, value: str | None) -> str | None:
        if value is not None and not _RESOURCE.fullmatch(value):
            raise ValueError("must be a resource of Kubernetes, as in nvidia.com/gpu")
        return value

    def over(self, defaults: "NodeOptions") -> "NodeOptions":
        """These options, and where they say nothing the defaults.

        Mappings and lists are added to those of the defaults. Where both name a volume's or a
        secret's path, or the same key, these win.
        """
        merged = {}
        for name in NodeOptions.model_fields:
            own, other = getattr(self, name), getattr(defaults, name)
            if isinstance(own, dict):
                merged[name] = {**other, **own}
            elif isinstance(own, list):
                merged[name] = [*(o for o in other if not _replaced(o, own)), *own]
            else:
                merged[name] = other if own is None else own
        return NodeOptions(**merged)

    @pydantic.model_validator(mode="after")
    def _each_place_once(self) -> "NodeOptions":
        paths = [volume.path for volume in self.volumes]
        paths += [secret.path for secret in self.secrets if secret.path is not None]
        paths += ["/dev/shm"] if self.shared_memory_gb else []
        twice = next((path for path in paths if paths.count(path) > 1), None)
        if twice is not None:
            raise ValueError(f"only one volume or secret can be at a path. Received: {twice} twice")
        variables = [name for secret in self.secrets for name in secret.env]
        variables += list(self.env)
        twice = next((name for name in variables if variables.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"a variable must be set once. Received: {twice} twice")
        return self


def _replaced(entry, own: list) -> bool:
    """Whether an entry of the defaults stands at the place of one of a node's own."""
    if isinstance(entry, Volume):
        return any(entry.path == other.path for other in own)
    return any(entry == other for other in own)


class KubeflowConfig(Settings):
    """Runs on Kubeflow Pipelines; runs on this machine do not look at it."""

    pipeline_root: str = ""
    """Bucket and folder for artifacts (minio://, s3:// or gs://); empty: the cluster's default."""
    state_dir: str = ""
    """Folder on a volume that all steps see, which keeps what later runs look up: the records of
    runs, statistics of earlier images, trainings that were cut off. Empty: none of these."""
    defaults: NodeOptions = NodeOptions()
    """For all steps; see below."""
    nodes: dict[str, NodeOptions] = Field(default_factory=dict)
    """For one step, by its name, the same keys."""
    mpijob: MpiJobConfig = MpiJobConfig()
    """Training in several pods; see below."""

    @pydantic.field_validator("pipeline_root")
    @classmethod
    def _is_a_bucket(cls, value: str) -> str:
        if value and not value.startswith(ROOT_SCHEMES):
            raise ValueError(f"must begin with {', '.join(ROOT_SCHEMES)} or be empty")
        scheme, _, rest = value.partition("://")
        if value and (not rest.strip("/") or "//" in rest or any(c.isspace() for c in rest)):
            raise ValueError(f"must name a bucket and a folder, as in {scheme}://bucket/runs")
        return value.rstrip("/")

    @pydantic.field_validator("state_dir")
    @classmethod
    def _is_absolute(cls, value: str) -> str:
        return value if not value else _mount_path(value.rstrip("/"))

    @pydantic.field_validator("nodes")
    @classmethod
    def _known_nodes(cls, nodes: dict[str, NodeOptions]) -> dict[str, NodeOptions]:
        for name in nodes:
            problem = node_names.problem(name)
            if problem:
                raise ValueError(f"must have names of nodes as keys; {problem}")
        return nodes

    @pydantic.model_validator(mode="after")
    def _nodes_fit_the_defaults(self) -> "KubeflowConfig":
        for name, options in self.nodes.items():
            try:
                options.over(self.defaults)
            except pydantic.ValidationError as error:
                rule = error.errors()[0]["msg"].removeprefix("Value error, ")
                raise ValueError(f"nodes.{name} together with defaults: {rule}") from None
        return self

    def of_node(self, name: str) -> NodeOptions:
        """The options of a step, with the defaults."""
        return self.nodes.get(name, NodeOptions()).over(self.defaults)
