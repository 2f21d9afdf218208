"""Whether the steps on a cluster will see the files that a config names."""

import dataclasses
import posixpath

from pipeline.config import PipelineConfig
from pipeline.node_names import NODE_NAMES
from preprocessing.errors import InputError
from preprocessing.sources import storage

# What TensorFlow opens by itself; others need packages that the images do not have.
_TENSORFLOW_SCHEMES = ("gs://",)
# What Beam opens with the extras of this project.
_BEAM_SCHEMES = ("gs://", "s3://", "hdfs://")


@dataclasses.dataclass(frozen=True)
class _Place:
    """A file or folder that a config names.

    Attributes:
      key: the config's key.
      path: its value.
      nodes: the nodes that use it.
      schemes: those of URIs that these can open.
    """

    key: str
    path: str
    nodes: tuple[str, ...]
    schemes: tuple[str, ...] = ()


def check(config: PipelineConfig) -> None:
    """Checks all places.

    Raises:
      InputError: one is relative, or the step that needs it has no volume there.
    """
    if not config.serving.push_dir:
        raise InputError(
            "serving.push_dir must be set for a cluster: a folder on a volume of "
            "LatestBlessedModel and Pusher, or gs://"
        )
    if not config.data.path.strip():
        raise InputError(f"data.path must not be empty. Received: {config.data.path!r}")
    for place in _places(config):
        if place.path:
            _check(config, place)


def _places(config: PipelineConfig) -> list[_Place]:
    data = config.data
    return [
        _Place("data.path", data.path, ("ImageExampleGen",), _BEAM_SCHEMES),
        _Place("data.class_names_file", data.class_names_file, ("ImageExampleGen",), _BEAM_SCHEMES),
        _Place("data.schema_file", data.schema_file, ("SchemaGen",), _TENSORFLOW_SCHEMES),
        _Place(
            "data.previous_statistics",
            data.previous_statistics,
            ("ExampleValidator",),
            _TENSORFLOW_SCHEMES,
        ),
        _Place("trainer.init_weights", config.trainer.init_weights, ("HorovodTrainer",)),
        _Place(
            "serving.push_dir",
            config.serving.push_dir,
            ("LatestBlessedModel", "Pusher"),
            _TENSORFLOW_SCHEMES,
        ),
        _Place("kubeflow.state_dir", config.kubeflow.state_dir, NODE_NAMES),
    ]


def _check(config: PipelineConfig, place: _Place) -> None:
    path = place.path
    if "://" in path and not path.startswith("file://"):
        if path.startswith(place.schemes):
            return
        also = f", or begin with {' or '.join(place.schemes)}" if place.schemes else ""
        raise InputError(
            f"node {place.nodes[0]}: {place.key} must be a folder or file on a volume{also}. "
            f"Received: {path!r}"
        )
    local = storage.local_path(path)
    for node in place.nodes:
        mounts = [volume.path for volume in config.kubeflow.of_node(node).volumes]
        if not any(_is_below(local, mount) for mount in mounts):
            raise InputError(
                f"node {node}: {place.key} must lie on a volume that the step sees; there are: "
                f"{', '.join(mounts) or 'none'}. Set kubeflow.defaults.volumes or "
                f"kubeflow.nodes.{node}.volumes, as in [{{claim: data, path: /data}}]. "
                f"Received: {path!r}"
            )


def _is_below(path: str, folder: str) -> bool:
    return path.startswith("/") and f"{posixpath.normpath(path)}/".startswith(f"{folder}/")
