"""Runs TFX's Evaluator and writes the verdict."""

import json
import os
from typing import Any

from tfx import types
from tfx.components.evaluator import executor as tfx_executor
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import BASELINE_MODEL_KEY, EVALUATION_KEY
from tfx.utils import io_utils

from components import progress, saved_models
from components.evaluator import verdict


class Executor(tfx_executor.Executor):
    """See `components.evaluator.component.Evaluator`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluates the candidate, with the baseline if there is one."""
        inputs = dict(input_dict)
        baseline = inputs.get(BASELINE_MODEL_KEY, [])
        has_baseline = bool(baseline) and saved_models.of_artifact(baseline) is not None
        if not has_baseline:
            inputs.pop(BASELINE_MODEL_KEY, None)
        progress.report("evaluating candidate" + (" and served model" if has_baseline else ""))
        super().Do(inputs, output_dict, exec_properties)
        evaluation = artifact_utils.get_single_uri(output_dict[EVALUATION_KEY])
        result = verdict.from_evaluation(evaluation, has_baseline)
        folder = artifact_utils.get_single_uri(output_dict["verdict"])
        for name, text in (
            (verdict.CONFUSION_FILE, json.dumps(verdict.confusion(evaluation, has_baseline))),
            (verdict.TEXT_FILE, "\n".join(result.lines()) + "\n"),
            (verdict.JSON_FILE, result.to_json()),
        ):
            io_utils.write_string_file(os.path.join(folder, name), text)
