"""Interface of the Evaluator component."""

import tensorflow_model_analysis as tfma
from tfx import types
from tfx.components.evaluator.component import Evaluator as TfxEvaluator
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts, standard_component_specs
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.artifacts import Verdict
from components.code_digest import code_digest
from components.evaluator import executor


class EvaluatorSpec(types.ComponentSpec):
    """Inputs, outputs and parameters of `Evaluator`."""

    PARAMETERS = {
        standard_component_specs.EVAL_CONFIG_KEY: ExecutionParameter(type=tfma.EvalConfig),
        standard_component_specs.EXAMPLE_SPLITS_KEY: ExecutionParameter(type=str, optional=True),
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
    """TFX's Evaluator, whose baseline may be absent, and which writes down why.

    Component `inputs`:
      - `examples`: `Examples` with an `eval` split.
      - `model`: the candidate, a `Model` with the signatures of trainer_module/export.py.
      - `baseline_model`: a `Model` to compare with; an artifact that holds no SavedModel means
        that there is none, and rules about change then do not apply.

    Component `outputs`:
      - `evaluation`: `ModelEvaluation`, TFMA's metrics, plots and validation.
      - `blessing`: `ModelBlessing`, as TFX's Evaluator makes it.
      - `verdict`: `Verdict`, `verdict.json` and `verdict.txt`: each rule, what was measured,
        and whether it held.
    """

    SPEC_CLASS = EvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        eval_config: tfma.EvalConfig,
        baseline_model: types.BaseChannel | None = None,
    ):
        """Makes the node.

        Args:
          examples: the records; the `eval` split is used.
          model: the candidate.
          eval_config: metrics, slices and thresholds.
          baseline_model: the model to compare with, if any.
        """
        super().__init__(
            EvaluatorSpec(
                examples=examples,
                model=model,
                baseline_model=baseline_model,
                eval_config=eval_config,
                code_digest=code_digest("components.evaluator"),
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
                verdict=types.Channel(type=Verdict),
            )
        )
