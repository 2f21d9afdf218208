"""Chooses the baseline and copies it."""

import posixpath
from collections.abc import Mapping
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components import progress, saved_models

# Exec property that the driver sets: the version that it chose, NO_BASELINE where there is none.
# Its content stands beside it, since a version's number can be used again.
BASELINE_KEY = "baseline"
NO_BASELINE = "none"
# In an artifact without a model, so that its folder exists where empty folders get lost.
NO_MODEL_FILE = "NO_BASELINE.txt"


class Executor(base_executor.BaseExecutor):
    """See `components.latest_blessed_model.component.LatestBlessedModel`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Copies the baseline into the output, or writes down that there is none."""
        choice = exec_properties.get(BASELINE_KEY) or describe_baseline(input_dict, exec_properties)
        output = artifact_utils.get_single_instance(output_dict["baseline_model"])
        if choice == NO_BASELINE:
            text = "No model is served yet, or only the candidate itself.\n"
            io_utils.write_string_file(posixpath.join(output.uri, NO_MODEL_FILE), text)
            return
        version = int(choice.partition(":")[0])
        source = saved_models.version_dir(exec_properties["push_dir"], version)
        progress.report(f"baseline is version {version}")
        io_utils.copy_dir(source, path_utils.serving_model_dir(output.uri))
        output.set_string_custom_property("version", str(version))
        output.set_string_custom_property("served_from", source)


def describe_baseline(
    input_dict: Mapping[str, list[types.Artifact]], exec_properties: Mapping[str, Any]
) -> str:
    """The choice as a string that changes when the baseline does: `<version>:<content digest>`.

    Args:
      input_dict: with the candidate under `model`.
      exec_properties: with `push_dir`.

    Returns:
      The version and its digest, or NO_BASELINE.

    Raises:
      ValueError: the candidate holds no SavedModel.
    """
    candidate = saved_models.of_artifact(input_dict["model"])
    if candidate is None:
        raise ValueError(f"the candidate {input_dict['model'][0].uri} holds no SavedModel")
    own_digest = saved_models.content_digest(candidate)
    push_dir = exec_properties["push_dir"]
    for version in saved_models.versions(push_dir):
        digest = saved_models.content_digest(saved_models.version_dir(push_dir, version))
        if digest != own_digest:
            return f"{version}:{digest}"
    return NO_BASELINE
