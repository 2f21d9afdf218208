"""Interface of the ImagePreprocessor component."""

from typing import Any

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts, standard_component_specs
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.artifacts import Quarantine
from components.image_preprocessor import executor
from components.parameters import parameters_of
from preprocessing.files.code_digest import code_digest
from preprocessing.settings import read_settings
from preprocessing.stage.options import StageOptions


class ImagePreprocessorSpec(types.ComponentSpec):
    """Inputs, outputs and parameters of `ImagePreprocessor`."""

    PARAMETERS = {
        **parameters_of(StageOptions),
        "code_digest": ExecutionParameter(type=str),
    }
    INPUTS = {
        standard_component_specs.EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        standard_component_specs.SCHEMA_KEY: ChannelParameter(type=standard_artifacts.Schema),
    }
    OUTPUTS = {
        standard_component_specs.TRANSFORMED_EXAMPLES_KEY: ChannelParameter(
            type=standard_artifacts.Examples
        ),
        standard_component_specs.TRANSFORM_GRAPH_KEY: ChannelParameter(
            type=standard_artifacts.TransformGraph
        ),
        executor.QUARANTINE_KEY: ChannelParameter(type=Quarantine),
    }


class ImagePreprocessor(base_beam_component.BaseBeamComponent):
    """Normalises images and labels them; those that cannot be used go to the quarantine.

    Component `inputs`:
      - `examples`: `Examples` of ImageExampleGen.
      - `schema`: `Schema` of those examples.

    Component `outputs`:
      - `transformed_examples`: `Examples` with the splits `train` and `eval`: uncompressed
        TFRecord shards of the records of preprocessing/features.py, and beside them the files
        that preprocessing/stage/beam_stage.py lists: class names, counts, statistics, manifest.
      - `transform_graph`: `TransformGraph` that maps `image/class/text` to
        `image/class/label`, with the vocabulary `class_names`; in its folder `statistics.json`
        and `class_frequencies.txt` (see preprocessing/stage/class_statistics.py).
      - `quarantine`: `Quarantine`.
    """

    SPEC_CLASS = ImagePreprocessorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(self, examples: types.BaseChannel, schema: types.BaseChannel, **options: Any):
        """Makes the node.

        Args:
          examples: source records.
          schema: of the source records.
          **options: fields of `StageOptions`, which says what they mean and has the defaults.

        Raises:
          InputError: an option is unknown or its value is refused.
        """
        super().__init__(
            ImagePreprocessorSpec(
                examples=examples,
                schema=schema,
                **read_settings(StageOptions, options, "ImagePreprocessor").model_dump(),
                code_digest=code_digest("components.image_preprocessor"),
                transformed_examples=types.Channel(type=standard_artifacts.Examples),
                transform_graph=types.Channel(type=standard_artifacts.TransformGraph),
                quarantine=types.Channel(type=Quarantine),
            )
        )
