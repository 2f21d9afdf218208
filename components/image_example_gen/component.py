"""Interface of the ImageExampleGen component."""

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts, standard_component_specs
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.code_digest import code_digest
from components.image_example_gen import driver, executor


class ImageExampleGenSpec(types.ComponentSpec):
    """Inputs, outputs and parameters of `ImageExampleGen`."""

    PARAMETERS = {
        executor.PATH_KEY: ExecutionParameter(type=str),
        executor.EVAL_FRACTION_KEY: ExecutionParameter(type=float),
        executor.SEED_KEY: ExecutionParameter(type=int),
        "code_digest": ExecutionParameter(type=str),
    }
    INPUTS = {}
    OUTPUTS = {
        standard_component_specs.EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        executor.FACTS_KEY: ChannelParameter(type=standard_artifacts.Examples),
    }


class ImageExampleGen(base_beam_component.BaseBeamComponent):
    """Reads an image folder, one sub-folder a class, into source records.

    The driver puts a fingerprint of the folder (names, sizes, times of change) into the exec
    property `input_fingerprint`, so that the cache sees changed data. Where an orchestrator
    runs no driver, the node works without it; caching must then be off for it.

    Component `outputs`:
      - `examples`: `Examples` with the splits `train` and `eval`: uncompressed TFRecords of
        source records (see preprocessing/features.py), and the index of
        preprocessing/ingest.py.
      - `image_facts`: `Examples` with the same splits: for each source record a small one
        without pixels (format, size, class; see preprocessing/features.py), for statistics.
    """

    SPEC_CLASS = ImageExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)
    DRIVER_CLASS = driver.Driver

    def __init__(self, path: str, eval_fraction: float = 0.2, seed: int = 0):
        """Makes the node.

        Args:
          path: folder with one sub-folder of images a class.
          eval_fraction: share of the images, 0 to 1, that the evaluation split gets, chosen by
            their content.
          seed: of the split and of the shuffle.
        """
        super().__init__(
            ImageExampleGenSpec(
                path=path,
                eval_fraction=float(eval_fraction),
                seed=seed,
                code_digest=code_digest("components.image_example_gen"),
                examples=types.Channel(type=standard_artifacts.Examples),
                image_facts=types.Channel(type=standard_artifacts.Examples),
            )
        )
