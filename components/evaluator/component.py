"""Interface of the Evaluator component."""

import tensorflow_model_analysis as tfma
from tfx import types
from tfx.components.evaluator.component import Evaluator as TfxEvaluator
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts, standard_component_specs
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.artifacts import Verdict
from components.evaluator import executor
from components.evaluator.rules import Rules
from preprocessing.files.code_digest import code_digest


class EvaluatorSpec(types.ComponentSpec):
    """Inputs, outputs and parameters of `Evaluator`."""

    PARAMETERS = {
        standard_component_specs.EVAL_CONFIG_KEY: ExecutionParameter(type=tfma.EvalConfig),
        standard_component_specs.EXAMPLE_SPLITS_KEY: ExecutionParameter(type=str, optional=True),
        "rules": ExecutionParameter(type=str),
        "code_digest": ExecutionParameter(type=str),
    }
    INPUTS = {
        standard_component_specs.EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        standard_component_specs.MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        standard_component_specs.BASELINE_MODEL_KEY: ChannelParameter(
            type=standard_artifacts.Model, optional=True
        ),
    }
    OUTPUTS = {
        standard_component_specs.EVALUATION_KEY: ChannelParameter(
            type=standard_artifacts.ModelEvaluation
        ),
        standard_component_specs.BLESSING_KEY: ChannelParameter(
            type=standard_artifacts.ModelBlessing
        ),
        "verdict": ChannelParameter(type=Verdict),
    }
    TYPE_ANNOTATION = TfxEvaluator.SPEC_CLASS.TYPE_ANNOTATION


class Evaluator(base_beam_component.BaseBeamComponent):
    """Measures a model with TFMA, and judges it by rules that say why.

    It has the inputs and outputs of TFX's Evaluator, and differs in what decides. TFMA's
    thresholds know neither intervals that are right for proportions, nor two models on the same
    images, nor the worst slice. So TFMA runs the exported model over the records, slices and
    writes exact counts, and `gate.py` compares them with the rules.

    Component `inputs`:
      - `examples`: `Examples` with an `eval` split, uncompressed TFRecords.
      - `model`: the candidate, a `Model` with the signatures of trainer_module/serving/export.py.
      - `baseline_model`: a `Model` to compare with; an artifact that holds no SavedModel means
        that there is none, and rules about a change then do not apply. One that does not load
        ends the node or is left out, as the rules say.

    Component `outputs`:
      - `evaluation`: `ModelEvaluation`, what TFMA wrote: `tfma.load_eval_result` reads it. TFMA's
        validation in it is empty, as it has no thresholds. Beside it `predictions.parquet`, the
        answers of both models for each image; see `predictions`.
      - `blessing`: `ModelBlessing`, as TFX's Evaluator makes it, with the custom property
        `reason`.
      - `verdict`: `Verdict`: `verdict.json` and `verdict.txt` (each rule, what was measured,
        whether it held; slices, classes, calibration) and `confusion.json`; the custom properties
        `blessed`, `reason`, `top_1` with `top_1_low` and `top_1_high`, `top_5`, `loss`,
        `expected_calibration_error` and `example_count`.
    """

    SPEC_CLASS = EvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        eval_config: tfma.EvalConfig,
        rules: Rules,
        baseline_model: types.BaseChannel | None = None,
    ):
        """Makes the node.

        Args:
          examples: the records; the `eval` split is used.
          model: the candidate.
          eval_config: metrics and slices.
          rules: what the model must reach.
          baseline_model: the model to compare with, if any.
        """
        super().__init__(
            EvaluatorSpec(
                examples=examples,
                model=model,
                baseline_model=baseline_model,
                eval_config=eval_config,
                rules=rules.to_json(),
                code_digest=code_digest("components.evaluator"),
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
                verdict=types.Channel(type=Verdict),
            )
        )
