"""What a step made, turned into what the launcher takes: complete, in place, and without loss.

The launcher says nothing where an output is missing or elsewhere; the step succeeds, and the one
after it fails. A null in the metadata ends the step, and large whole numbers are rounded.
"""

import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from tfx import types
from tfx.components.evaluator import constants
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_entrypoint_utils as utils

from kubeflow import empty_folders
from kubeflow.launcher_input import Place

Outputs = Mapping[str, list[types.Artifact]]
# The whole numbers that a number of JSON can hold are below it.
_LARGEST = 2**53
_ID_PROPERTIES = (
    constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY,
    constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY,
)


class OutputError(RuntimeError):
    """What a step made cannot be handed on."""


def check_places(outputs: Outputs, place: Place) -> None:
    """Checks that all outputs are there, in the run's folder.

    Raises:
      OutputError: one is not.
    """
    for key, artifacts in outputs.items():
        for artifact in artifacts:
            if place.to_remote(artifact.uri) is None:
                raise OutputError(
                    f"output {key} must lie in the run's folder, or it is not handed on; write it "
                    f"to the URI that the executor was given. Received: {artifact.uri!r}, which is "
                    f"not below {place.local}"
                )
            if not Path(artifact.uri).exists():
                raise OutputError(f"output {key} was not made: {artifact.uri} is not there")


def mark_empty_folders(outputs: Outputs) -> None:
    """Makes empty folders survive the bucket."""
    for artifacts in outputs.values():
        for artifact in artifacts:
            empty_folders.mark(Path(artifact.uri))


def to_json(outputs: Outputs, place: Place, name_from_id: Mapping[int, str]) -> str:
    """The content of the step's output file.

    Args:
      outputs: what was made, by key.
      place: where the run's outputs lie.
      name_from_id: the names of inputs by the numbers that TFX made of them.

    Raises:
      OutputError: a value of the metadata would be lost or changed, or end the step.
    """
    for key, artifacts in outputs.items():
        for artifact in artifacts:
            _name_inputs(artifact, name_from_id)
            _check_numbers(key, artifact)
    values = {
        key: json_format.MessageToDict(listed)
        for key, listed in utils.translate_executor_output(outputs, name_from_id).items()
    }
    for key, listed in values.items():
        for artifact in listed["artifacts"]:
            artifact["uri"] = place.to_remote(artifact["uri"])
            artifact["metadata"] = _checked(key, artifact.get("metadata", {}))
    return json.dumps({"artifacts": values}, allow_nan=False)


def _name_inputs(artifact: types.Artifact, name_from_id: Mapping[int, str]) -> None:
    """Puts names where numbers of input artifacts stand, which have 63 bits, as TFX does."""
    for key in _ID_PROPERTIES:
        if artifact.has_custom_property(key):
            number = artifact.get_int_custom_property(key)
            artifact.set_string_custom_property(key, name_from_id.get(number, ""))


def _check_numbers(key: str, artifact: types.Artifact) -> None:
    stored = artifact.mlmd_artifact
    for properties in (stored.properties, stored.custom_properties):
        for name in list(properties):
            value = properties[name]
            kind = value.WhichOneof("value")
            if kind is None:
                raise OutputError(
                    f"output {key}: its property {name!r} has no value, which ends a step there; "
                    "leave it out"
                )
            if kind == "int_value" and abs(value.int_value) >= _LARGEST:
                raise OutputError(
                    f"output {key}: its property {name!r} must be below 2^53 in size, since larger "
                    f"whole numbers are rounded there; write it as text. Received: "
                    f"{value.int_value}"
                )
            if kind == "double_value" and not math.isfinite(value.double_value):
                logging.warning(
                    "output %s: property %r is %s and left out: JSON has no such number",
                    key,
                    name,
                    value.double_value,
                )
                del properties[name]


def _checked(key: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in metadata.items():
        _check_value(f"output {key}: its property {name!r}", value)
    return dict(metadata)


def _check_value(what: str, value: Any) -> None:
    if value is None:
        raise OutputError(f"{what} must not hold a null, which ends a step there; leave it out")
    if isinstance(value, float) and not math.isfinite(value):
        raise OutputError(f"{what} must hold finite numbers. Received: {value}")
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            _check_value(what, part)
