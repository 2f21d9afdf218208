"""Interface of the ImageExampleGen component."""

from typing import Any

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts, standard_component_specs
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.image_example_gen import driver, executor
from components.parameters import parameters_of
from preprocessing.files.code_digest import code_digest
from preprocessing.ingest.options import IngestOptions
from preprocessing.settings import read_settings


class ImageExampleGenSpec(types.ComponentSpec):
    """Inputs, outputs and parameters of `ImageExampleGen`."""

    PARAMETERS = {
        **parameters_of(IngestOptions),
        "code_digest": ExecutionParameter(type=str),
    }
    INPUTS = {}
    OUTPUTS = {
        standard_component_specs.EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        executor.FACTS_KEY: ChannelParameter(type=standard_artifacts.Examples),
    }


class ImageExampleGen(base_beam_component.BaseBeamComponent):
    """Reads a corpus of images into source records, shuffled and split.

    The corpus is an image folder, a manifest, TFRecords or tar shards; see the modules of
    preprocessing/sources.

    The driver resolves `{SPAN}` and `{VERSION}` in the path, and puts a fingerprint of the corpus
    (names, sizes, times of change) into the exec property `input_fingerprint`, so that the cache
    sees changed data.

    Component `outputs`:
      - `examples`: `Examples` with the splits `train` and `eval`: uncompressed TFRecords of
        source records (see preprocessing/features.py), and the index and `ingestion.json` of
        preprocessing/ingest/ingest.py.
      - `image_facts`: `Examples` with the same splits: for each source record a small one
        without pixels (format, size, class; see preprocessing/features.py), for statistics.

    Both have the custom properties `span` (0 where the path has none) and `version` (if the path
    has one), as TFX names them.
    """

    SPEC_CLASS = ImageExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)
    DRIVER_CLASS = driver.Driver

    def __init__(self, **options: Any):
        """Makes the node.

        Args:
          **options: fields of `IngestOptions`, which says what they mean; `path` must be given.

        Raises:
          InputError: an option is unknown or its value is refused.
        """
        super().__init__(
            ImageExampleGenSpec(
                **read_settings(IngestOptions, options, "ImageExampleGen").model_dump(),
                code_digest=code_digest("components.image_example_gen"),
                examples=types.Channel(type=standard_artifacts.Examples),
                image_facts=types.Channel(type=standard_artifacts.Examples),
            )
        )
