"""Interface of the LatestBlessedModel component."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.latest_blessed_model import driver, executor
from preprocessing.files.code_digest import code_digest


class LatestBlessedModelSpec(types.ComponentSpec):
    """Inputs, outputs and parameters of `LatestBlessedModel`."""

    PARAMETERS = {
        "push_dir": ExecutionParameter(type=str),
        "code_digest": ExecutionParameter(type=str),
    }
    INPUTS = {"model": ChannelParameter(type=standard_artifacts.Model)}
    OUTPUTS = {"baseline_model": ChannelParameter(type=standard_artifacts.Model)}


class LatestBlessedModel(base_component.BaseComponent):
    """The newest served model that is not the candidate itself: the baseline of the gate.

    It looks at the folder that models are pushed to, where only blessed ones arrive, and not at
    ML Metadata: resolver nodes do not run on every cluster, and what matters is what is served.
    The candidate's own content is left out, so that a run that is repeated after its model was
    pushed compares with the same model as before, and is a repetition to the cache as well.
    Where another model was pushed in between, the baseline is another one, and the candidate is
    judged, and if blessed pushed, again.

    Component `inputs`:
      - `model`: the candidate, a `Model`.

    Component `outputs`:
      - `baseline_model`: a `Model`: a copy of the baseline, with the custom properties `version`
        and `served_from`; or an artifact without a SavedModel where there is none.
    """

    SPEC_CLASS = LatestBlessedModelSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)
    DRIVER_CLASS = driver.Driver

    def __init__(self, model: types.BaseChannel, push_dir: str):
        """Makes the node.

        Args:
          model: the candidate.
          push_dir: folder with one sub-folder a version, named by a number.
        """
        super().__init__(
            LatestBlessedModelSpec(
                model=model,
                push_dir=push_dir,
                code_digest=code_digest("components.latest_blessed_model"),
                baseline_model=types.Channel(type=standard_artifacts.Model),
            )
        )
