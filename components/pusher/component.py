"""Interface of the Pusher component."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.pusher import driver, executor
from preprocessing.files.code_digest import code_digest


class PusherSpec(types.ComponentSpec):
    """Inputs, outputs and parameters of `Pusher`."""

    PARAMETERS = {
        "push_dir": ExecutionParameter(type=str),
        "kserve": ExecutionParameter(type=str, optional=True),
        "code_digest": ExecutionParameter(type=str),
    }
    INPUTS = {
        "model": ChannelParameter(type=standard_artifacts.Model),
        "model_blessing": ChannelParameter(type=standard_artifacts.ModelBlessing),
        "infra_blessing": ChannelParameter(type=standard_artifacts.InfraBlessing),
        "model_run": ChannelParameter(type=standard_artifacts.ModelRun, optional=True),
    }
    OUTPUTS = {"pushed_model": ChannelParameter(type=standard_artifacts.PushedModel)}


class Pusher(base_component.BaseComponent):
    """Puts a model where a server looks for versions, if both blessings allow it.

    It keeps what TFX's Pusher promises (blessings, artifact, custom properties) and differs in
    three points: a version appears by one rename, so that no server loads half a model and a
    killed push leaves nothing served; versions grow even when two pushes fall into one second or
    the clock goes back; and a model whose bytes are served already is not pushed a second time.

    Component `inputs`:
      - `model`: the `Model` to push.
      - `model_blessing`: `ModelBlessing` of the evaluation.
      - `infra_blessing`: `InfraBlessing` of the serving check.
      - `model_run`: the `ModelRun` of the training, where a service is asked for its answers.

    Component `outputs`:
      - `pushed_model`: `PushedModel`, a copy of what was pushed, with the custom properties
        `pushed` (1 or 0), `pushed_destination` and `pushed_version`.
    """

    SPEC_CLASS = PusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)
    DRIVER_CLASS = driver.Driver

    def __init__(
        self,
        model: types.BaseChannel,
        model_blessing: types.BaseChannel,
        infra_blessing: types.BaseChannel,
        push_dir: str,
        kserve: str = "",
        model_run: types.BaseChannel | None = None,
    ):
        """Makes the node.

        Args:
          model: what to push.
          model_blessing: what the evaluation said.
          infra_blessing: what the serving check said.
          push_dir: folder that gets one sub-folder a version, named by a number.
          kserve: options of the InferenceService that serves it, as JSON; empty: none does.
          model_run: what the training left, whose parity images such a service has to answer.
        """
        served = {"kserve": kserve, "model_run": model_run} if kserve else {}
        super().__init__(
            PusherSpec(
                model=model,
                model_blessing=model_blessing,
                infra_blessing=infra_blessing,
                push_dir=push_dir,
                code_digest=code_digest("components.pusher"),
                **served,
                pushed_model=types.Channel(type=standard_artifacts.PushedModel),
            )
        )
