"""Interface of the ExampleValidator component."""

import dataclasses

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter
from tfx.types.standard_component_specs import (
    ANOMALIES_KEY,
    EXAMPLES_KEY,
    SCHEMA_KEY,
    STATISTICS_KEY,
)

from components.example_validator import driver, executor
from components.example_validator.limits import Limits
from preprocessing.files.code_digest import code_digest


class ExampleValidatorSpec(types.ComponentSpec):
    """Inputs, outputs and parameters of `ExampleValidator`."""

    PARAMETERS = {
        **{
            field.name: ExecutionParameter(type=type(field.default))
            for field in dataclasses.fields(Limits)
        },
        executor.ON_ANOMALY_KEY: ExecutionParameter(type=str),
        executor.PREVIOUS_KEY: ExecutionParameter(type=str, optional=True),
        executor.KEPT_KEY: ExecutionParameter(type=str, optional=True),
        "code_digest": ExecutionParameter(type=str),
    }
    INPUTS = {
        EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        STATISTICS_KEY: ChannelParameter(type=standard_artifacts.ExampleStatistics),
        SCHEMA_KEY: ChannelParameter(type=standard_artifacts.Schema),
    }
    OUTPUTS = {ANOMALIES_KEY: ChannelParameter(type=standard_artifacts.ExampleAnomalies)}


class ExampleValidator(base_component.BaseComponent):
    """Lists what is unusual about a corpus, and refuses it if so wanted.

    TFX's component of this name compares with a schema only, and one that was inferred from the
    same images never finds a class that is new or gone. This one compares with the statistics of
    the corpus before as well. The driver looks for them in ML Metadata: those of the newest
    corpus that this node accepted and that has other content. Where there is no ML Metadata, as
    on Kubeflow, this node keeps the statistics that it accepts in the folder `kept_statistics`,
    and the driver looks there.

    Component `inputs`:
      - `examples`: `Examples` of ImageExampleGen, whose index names the files.
      - `statistics`: `ExampleStatistics` of image facts (see preprocessing/features.py).
      - `schema`: `Schema` of the same.

    Component `outputs`:
      - `anomalies`: `ExampleAnomalies` in TFX's layout (`Split-<name>/SchemaDiff.pb`);
        `anomalies.json`: the fields of `anomaly.Anomaly`, the worst first; and
        `anomaly_items.jsonl`: a line for each class and each file that one is about.
    """

    SPEC_CLASS = ExampleValidatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)
    DRIVER_CLASS = driver.Driver

    def __init__(
        self,
        examples: types.BaseChannel,
        statistics: types.BaseChannel,
        schema: types.BaseChannel,
        limits: Limits | None = None,
        on_anomaly: str = executor.WARN,
        previous_statistics: str = "",
        kept_statistics: str = "",
    ):
        """Makes the node.

        Args:
          examples: source records with their index.
          statistics: of image facts.
          schema: inferred or written by a person.
          limits: what counts as unusual where the schema says nothing; None: the defaults.
          on_anomaly: `warn`, or `fail`: stop the run.
          previous_statistics: folder of a StatisticsGen's output to compare with; empty: found
            in `kept_statistics` or ML Metadata.
          kept_statistics: folder in which accepted statistics are kept; empty: nowhere.
        """
        super().__init__(
            ExampleValidatorSpec(
                examples=examples,
                statistics=statistics,
                schema=schema,
                on_anomaly=on_anomaly,
                previous_statistics=previous_statistics or None,
                kept_statistics=kept_statistics or None,
                code_digest=code_digest("components.example_validator"),
                anomalies=types.Channel(type=standard_artifacts.ExampleAnomalies),
                **dataclasses.asdict(limits or Limits()),
            )
        )
