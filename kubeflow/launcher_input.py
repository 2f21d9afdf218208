"""What the launcher of Kubeflow Pipelines gives to a step, turned into what TFX understands.

The launcher replaces `{{$}}` by JSON with the inputs, parameters and outputs of the step. TFX's
own entry point cannot read it: every step has an output that TFX does not know, URIs have schemes
that TFX does not open (the files lie below /minio, /s3 or /gcs in the container), and the types of
inputs are empty, or of another kind in backends without ML Metadata.
"""

import dataclasses
import json
import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kubeflow import artifact_types, empty_folders
from preprocessing.errors import InputError

# Added by the launcher to every step, for logs.
_LOGS_KEY = "executor-logs"
_FOLDERS = {"minio://": "/minio/", "s3://": "/s3/", "gs://": "/gcs/"}


@dataclasses.dataclass(frozen=True)
class Place:
    """Where the outputs of a run lie: `<root>/<pipeline>/<run>/<step>/<uuid>/<key>`.

    Attributes:
      remote: URI of the run's folder.
      local: the same in the container.
      run_id: the run.
      execution: names this try of the step.
    """

    remote: str
    local: str
    run_id: str
    execution: str

    def to_remote(self, path: str) -> str | None:
        """The URI of a path in the run's folder, None where it is not there."""
        if not f"{path}/".startswith(f"{self.local}/"):
            return None
        return self.remote + path[len(self.local) :]


def local_path(uri: str) -> str:
    """Where the launcher puts the files of a URI, and takes them from.

    Raises:
      InputError: it has a scheme that the launcher does not know.
    """
    for scheme, folder in _FOLDERS.items():
        if uri.startswith(scheme):
            return folder + uri.removeprefix(scheme)
    raise InputError(
        f"artifacts must be at {', '.join(_FOLDERS)} (the pipeline root). Received: {uri!r}"
    )


def local_file(path: str) -> str:
    """The path of the step's output file, which some backends give as a URI."""
    return local_path(path) if "://" in path else path


def remote_uris(values: Mapping[str, Any]) -> dict[str, str]:
    """The URI of each input, as the launcher gave it."""
    return {
        key: artifact["uri"]
        for key, listed in values.get("inputs", {}).get("artifacts", {}).items()
        for artifact in listed.get("artifacts", [])
    }


def place_of(values: Mapping[str, Any]) -> Place:
    """Where the outputs of the step's run lie."""
    uris = [
        listed["artifacts"][0]["uri"]
        for key, listed in values["outputs"]["artifacts"].items()
        if key != _LOGS_KEY
    ]
    task = posixpath.dirname(uris[0].rstrip("/"))
    remote = posixpath.dirname(posixpath.dirname(task))
    return Place(remote, local_path(remote), posixpath.basename(remote), posixpath.basename(task))


def parse(text: str) -> dict[str, Any]:
    """Reads the JSON.

    Raises:
      InputError: it is none, as where the step was not started by a launcher.
    """
    try:
        values = json.loads(text)
        return values if isinstance(values["outputs"]["artifacts"], dict) else values[""]
    except (ValueError, KeyError, TypeError):
        raise InputError(
            "--json_serialized_invocation_args must be what the launcher of Kubeflow Pipelines "
            f"writes for '{{{{$}}}}'. Received: {text[:80]!r}"
        ) from None


def mended(values: Mapping[str, Any], inputs_spec: Mapping[str, Any]) -> dict[str, Any]:
    """The same as TFX understands it.

    Args:
      values: as the launcher wrote it.
      inputs_spec: the `inputDefinitions` of the step's component, which say the inputs' types.
    """
    inputs, outputs = values.get("inputs", {}), values["outputs"]
    types = inputs_spec.get("artifacts", {})
    return {
        **values,
        "inputs": {
            **inputs,
            "artifacts": {
                key: _with_each(listed, _input, types[key]["artifactType"]["instanceSchema"])
                for key, listed in inputs.get("artifacts", {}).items()
            },
        },
        "outputs": {
            **outputs,
            "artifacts": {
                key: _with_each(listed, _output)
                for key, listed in outputs["artifacts"].items()
                if key != _LOGS_KEY
            },
        },
    }


def prepare_folders(values: Mapping[str, Any]) -> None:
    """Looks whether inputs are there, which the launcher does not, and makes the output folders.

    Args:
      values: what `mended` returned.

    Raises:
      InputError: the files of an input are gone.
    """
    for key, listed in values["inputs"]["artifacts"].items():
        for artifact in listed["artifacts"]:
            path = Path(artifact["uri"])
            if not path.exists() or (path.is_dir() and not any(path.iterdir())):
                raise InputError(
                    f"input {key}: its files are gone from the bucket (a folder that was deleted, "
                    "or a step that was taken from a cache whose files were); run the pipeline "
                    f"again with caching off. Received: {path}"
                )
            empty_folders.restore(path)
    for listed in values["outputs"]["artifacts"].values():
        for artifact in listed["artifacts"]:
            Path(artifact["uri"]).mkdir(parents=True, exist_ok=True)


def _with_each(listed: Mapping[str, Any], change, *arguments: Any) -> dict[str, Any]:
    return {"artifacts": [change(artifact, *arguments) for artifact in listed["artifacts"]]}


def _input(artifact: Mapping[str, Any], schema: str) -> dict[str, Any]:
    metadata = artifact.get("metadata", {})
    return {
        **artifact,
        "uri": local_path(artifact["uri"]),
        # TFX takes a title that it does not know for the name of the class.
        "type": {"schemaTitle": artifact_types.class_path(schema)},
        "metadata": {k: _unwrapped(v) for k, v in metadata.items() if v is not None},
    }


def _output(artifact: Mapping[str, Any]) -> dict[str, Any]:
    schema = artifact.get("type", {}).get("instanceSchema", "")
    return {
        **artifact,
        "uri": local_path(artifact["uri"]),
        "type": {"schemaTitle": artifact_types.class_path(schema)},
    }


def _unwrapped(value: Any) -> Any:
    """A value as it was before the backend's ML Metadata put it into an object of its own."""
    if isinstance(value, dict) and len(value) == 1:
        for key, kind in (("list", list), ("struct", dict)):
            if isinstance(value.get(key), kind):
                return value[key]
    return value
