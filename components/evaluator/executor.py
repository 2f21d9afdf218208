"""Evaluates with TFMA, judges, and writes verdict and blessing."""

import contextlib
import dataclasses
import itertools
import json
import logging
import os
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
import tensorflow_model_analysis as tfma
from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import (
    BASELINE_MODEL_KEY,
    BLESSING_KEY,
    EVAL_CONFIG_KEY,
    EVALUATION_KEY,
    EXAMPLE_SPLITS_KEY,
    EXAMPLES_KEY,
    MODEL_KEY,
)
from tfx.utils import io_utils, json_utils, proto_utils

from components import progress, saved_models
from components.evaluator import evaluate, gate, measures, verdict
from components.evaluator.rules import FAIL, Rules
from preprocessing import features
from preprocessing.errors import InputError
from preprocessing.files.plain_path import plain_path

# A served model is tried with as many images before all of them go through it.
_TRIED_RECORDS = 2


class Executor(base_beam_executor.BaseBeamExecutor):
    """See `components.evaluator.component.Evaluator`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluates the candidate, with the baseline if there is one, and judges it."""
        rules = Rules.from_json(exec_properties["rules"])
        splits = json_utils.loads(exec_properties.get(EXAMPLE_SPLITS_KEY) or "null")
        examples = _split_folders(input_dict[EXAMPLES_KEY], splits or [features.EVAL_SPLIT])
        path = saved_models.of_artifact(input_dict[MODEL_KEY])
        if path is None:
            raise ValueError(f"{input_dict[MODEL_KEY][0].uri} holds no SavedModel to evaluate")
        candidate = evaluate.EvaluatedModel(path, evaluate.class_names(path))
        baseline, no_baseline = _baseline(input_dict.get(BASELINE_MODEL_KEY, []), rules, examples)
        config = exec_properties[EVAL_CONFIG_KEY]
        with plain_path(artifact_utils.get_single_uri(output_dict[EVALUATION_KEY])) as evaluation:
            self._measure(examples, candidate, baseline, config, evaluation)
            cells = measures.confusion(evaluation)
            measured = measures.read(evaluation, baseline is not None)
        result = gate.judge(
            _with_all_columns(measured, rules),
            measures.classes(cells, candidate.class_names, rules.confidence),
            rules,
            no_baseline,
        )
        logging.info("Verdict:\n%s", "\n".join(result.lines()))
        write_verdict(output_dict["verdict"][0], result)
        folder = artifact_utils.get_single_uri(output_dict["verdict"])
        io_utils.write_string_file(
            posixpath.join(folder, verdict.CONFUSION_FILE), json.dumps(cells)
        )
        blessing = artifact_utils.get_single_instance(output_dict[BLESSING_KEY])
        write_blessing(blessing, result, input_dict[MODEL_KEY][0])
        if baseline is not None:
            used = input_dict[BASELINE_MODEL_KEY][0]
            blessing.set_string_custom_property(
                constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY, used.uri
            )
            blessing.set_int_custom_property(
                constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY, used.id
            )

    def _measure(
        self,
        examples: Mapping[str, Sequence[str]],
        candidate: evaluate.EvaluatedModel,
        baseline: evaluate.EvaluatedModel | None,
        eval_config_json: str,
        output: str,
    ) -> None:
        eval_config = tfma.EvalConfig()
        proto_utils.json_to_proto(eval_config_json, eval_config)
        eval_config = tfma.utils.update_eval_config_with_defaults(
            eval_config, has_baseline=baseline is not None, rubber_stamp=True
        )
        models = {"": candidate}
        if baseline is not None:
            models = {tfma.CANDIDATE_KEY: candidate, tfma.BASELINE_KEY: baseline}
        progress.report("evaluating candidate" + (" and served model" if baseline else ""))
        with contextlib.ExitStack() as stack:
            patterns = {
                split: [
                    io_utils.all_files_pattern(stack.enter_context(plain_path(folder)))
                    for folder in folders
                ]
                for split, folders in examples.items()
            }
            for name, model in models.items():
                path = stack.enter_context(plain_path(model.path))
                models[name] = dataclasses.replace(model, path=path)
            with self._make_beam_pipeline() as pipeline:
                evaluate.evaluate(pipeline, patterns, models, eval_config, output)
        evaluate.finish(output)


def write_verdict(artifact: types.Artifact, result: verdict.Verdict) -> None:
    """Writes a verdict into its artifact: the files, and for queries custom properties."""
    for name, text in (
        (verdict.TEXT_FILE, "\n".join(result.lines()) + "\n"),
        (verdict.JSON_FILE, result.to_json()),
    ):
        io_utils.write_string_file(posixpath.join(artifact.uri, name), text)
    artifact.set_int_custom_property("blessed", int(result.blessed))
    artifact.set_string_custom_property("reason", result.reason())
    for key in ("top_1", "top_5", "loss", "expected_calibration_error"):
        artifact.set_float_custom_property(key, result.metrics[key])
    low, high = result.metrics["top_1_interval"]
    artifact.set_float_custom_property("top_1_low", low)
    artifact.set_float_custom_property("top_1_high", high)
    artifact.set_int_custom_property("example_count", result.metrics["example_count"])
    if result.override is not None:
        set_override(artifact, result.override)


def write_blessing(
    blessing: types.Artifact, result: verdict.Verdict, model: types.Artifact
) -> None:
    """Writes a blessing as TFX's Evaluator does: a marker file, and custom properties."""
    blessing.set_string_custom_property(
        constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri
    )
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
    blessing.set_int_custom_property(
        constants.ARTIFACT_PROPERTY_BLESSED_KEY,
        constants.BLESSED_VALUE if result.blessed else constants.NOT_BLESSED_VALUE,
    )
    blessing.set_string_custom_property("reason", result.reason())
    if result.override is not None:
        set_override(blessing, result.override)
    name = constants.BLESSED_FILE_NAME if result.blessed else constants.NOT_BLESSED_FILE_NAME
    io_utils.write_string_file(os.path.join(blessing.uri, name), "")


def set_override(artifact: types.Artifact, override: verdict.Override) -> None:
    """Writes who overrode the gate, when and why into an artifact's custom properties."""
    artifact.set_string_custom_property("override_reason", override.reason)
    artifact.set_string_custom_property("override_user", override.user)
    artifact.set_string_custom_property("override_time", override.time)


def _split_folders(
    examples: Sequence[types.Artifact], splits: Sequence[str]
) -> dict[str, list[str]]:
    return {split: artifact_utils.get_split_uris(list(examples), split) for split in splits}


def _baseline(
    models: Sequence[types.Artifact], rules: Rules, examples: Mapping[str, Sequence[str]]
) -> tuple[evaluate.EvaluatedModel | None, str]:
    """A baseline that works, or why there is none."""
    path = saved_models.of_artifact(models) if models else None
    if path is None:
        return None, verdict.NO_SUCH_BASELINE
    progress.report("trying the served model")
    reason = evaluate.why_unusable(path, _first_records(examples))
    if reason is None:
        return evaluate.EvaluatedModel(path, evaluate.class_names(path)), ""
    version = models[0].get_string_custom_property("version") or models[0].uri
    said = f"the served model, version {version}, cannot be used ({reason})"
    if rules.broken_baseline == FAIL:
        raise InputError(
            f"evaluation.broken_baseline is fail, and {said}; remove or repair that version, or "
            "judge without it by evaluation.broken_baseline=skip"
        )
    logging.warning("%s", said)
    return None, said


def _first_records(examples: Mapping[str, Sequence[str]]) -> list[bytes]:
    files = sorted(
        posixpath.join(folder, name)
        for folders in examples.values()
        for folder in folders
        for name in fileio.listdir(folder)
    )
    records = tf.data.TFRecordDataset(files)
    return [record.numpy() for record in itertools.islice(records, _TRIED_RECORDS)]


def _with_all_columns(slices: list[measures.Measures], rules: Rules) -> list[measures.Measures]:
    """The slices, if there are images, and some of them have each column that was asked for."""
    if not slices:
        raise InputError(
            "the evaluation split holds no images; use more images, or a larger data.eval_fraction"
        )
    found = {key for part in slices for key in part.slice}
    for key in rules.columns:
        if key not in found:
            name = key.removeprefix(features.COLUMN_PREFIX)
            raise InputError(
                "evaluation.slice_columns names columns of the manifest, and no evaluation image "
                f"has this one. Received: {name!r}"
            )
    return slices
