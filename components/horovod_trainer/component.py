"""Interface of the HorovodTrainer component."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.horovod_trainer import driver, executor
from components.stored_names import JOB_CONFIG
from preprocessing.files.code_digest import code_digest
from trainer_module import effects
from trainer_module.config import TrainConfig
from trainer_module.effects import Effect


class HorovodTrainerSpec(types.ComponentSpec):
    """Inputs, outputs and parameters of `HorovodTrainer`."""

    PARAMETERS = {
        "train_config": ExecutionParameter(type=str),
        JOB_CONFIG: ExecutionParameter(type=str),
        "code_digest": ExecutionParameter(type=str),
        **{name: ExecutionParameter(type=int, optional=True) for name in executor.RUN_SETTINGS},
        executor.UNFINISHED_KEY: ExecutionParameter(type=str, optional=True),
        driver.DIGEST_KEY: ExecutionParameter(type=str, optional=True),
    }
    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "transform_graph": ChannelParameter(type=standard_artifacts.TransformGraph),
    }
    OUTPUTS = {
        "model": ChannelParameter(type=standard_artifacts.Model),
        "model_run": ChannelParameter(type=standard_artifacts.ModelRun),
    }


class HorovodTrainer(base_component.BaseComponent):
    """Trains EfficientNetV2 stage by stage, in one process or in a Horovod job.

    The training is a process of its own (`python -m trainer_module`), which starts the other
    ranks with `horovodrun` where `num_processes` is more than 1. A training that was cut off is
    continued when the node runs again with the same records, settings and code.

    Component `inputs`:
      - `examples`: preprocessed `Examples` with the splits `train` and `eval`, and `labels.txt`.
      - `transform_graph`: the `TransformGraph` whose vocabulary numbered the labels.

    Component `outputs`:
      - `model`: `Model`, the SavedModel of trainer_module/serving/export.py.
      - `model_run`: `ModelRun`, the training's `model_dir`: checkpoints, export, TensorBoard
        events, `train_log.jsonl`, `train_summary.json` and `parity.tfrecord`.
    """

    SPEC_CLASS = HorovodTrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)
    DRIVER_CLASS = driver.Driver

    def __init__(
        self,
        examples: types.BaseChannel,
        transform_graph: types.BaseChannel,
        train_config: TrainConfig,
        unfinished_dir: str = "",
    ):
        """Makes the node.

        Args:
          examples: the preprocessed records.
          transform_graph: of the same preprocessing.
          train_config: the settings; `data_dir` and `model_dir` are set by the node. Where an
            orchestrator gives values when a run is started, the exec properties of
            `executor.RUN_SETTINGS` replace some.
          unfinished_dir: folder of trainings that were cut off; empty: beside the node's outputs.
        """
        # Apart, so that a change of them does not run a finished training again.
        job = set(effects.names(TrainConfig, Effect.JOB))
        super().__init__(
            HorovodTrainerSpec(
                examples=examples,
                transform_graph=transform_graph,
                train_config=train_config.model_dump_json(exclude=job),
                job_config=train_config.model_dump_json(include=job),
                unfinished_dir=unfinished_dir or None,
                code_digest=code_digest("components.horovod_trainer", "trainer_module"),
                model=types.Channel(type=standard_artifacts.Model),
                model_run=types.Channel(type=standard_artifacts.ModelRun),
            )
        )
