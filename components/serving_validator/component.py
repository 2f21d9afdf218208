"""Interface of the ServingValidator component."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.serving_validator import executor
from preprocessing.files.code_digest import code_digest


class ServingValidatorSpec(types.ComponentSpec):
    """Inputs, outputs and parameters of `ServingValidator`."""

    PARAMETERS = {
        "parity_tolerance": ExecutionParameter(type=float),
        "code_digest": ExecutionParameter(type=str),
    }
    INPUTS = {
        "model": ChannelParameter(type=standard_artifacts.Model),
        "model_run": ChannelParameter(type=standard_artifacts.ModelRun),
    }
    OUTPUTS = {"blessing": ChannelParameter(type=standard_artifacts.InfraBlessing)}


class ServingValidator(base_component.BaseComponent):
    """Loads the SavedModel in a fresh process and compares it with the training path.

    The process has TensorFlow and nothing of ours. It feeds encoded files to `serving_default`
    and compares the probabilities with those that the trainer wrote beside the same files. A
    model is not blessed if its files are not those that were exported, if it does not load, gives
    other probabilities, numbers or names the classes otherwise than the training did, lets one
    bad file spoil a batch, or does not answer its own warm-up requests. The node itself does not
    fail.

    Component `inputs`:
      - `model`: the candidate, a `Model`.
      - `model_run`: the `ModelRun` of its training, with `parity.tfrecord`.

    Component `outputs`:
      - `blessing`: `InfraBlessing` as TFX's Pusher reads it (custom property `blessed`), and
        `serving_check.json`: `blessed`, `reason`, `images`, `max_difference`,
        `max_log_difference`, `latency_ms` by batch size, `memory_mb`, and `extra_exports`.
    """

    SPEC_CLASS = ServingValidatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self, model: types.BaseChannel, model_run: types.BaseChannel, parity_tolerance: float
    ):
        """Makes the node.

        Args:
          model: the candidate.
          model_run: what its training left.
          parity_tolerance: largest allowed difference of a probability.
        """
        super().__init__(
            ServingValidatorSpec(
                model=model,
                model_run=model_run,
                parity_tolerance=parity_tolerance,
                code_digest=code_digest("components.serving_validator"),
                blessing=types.Channel(type=standard_artifacts.InfraBlessing),
            )
        )
