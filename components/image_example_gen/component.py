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
        executor.FORMAT_KEY: ExecutionParameter(type=str),
        executor.LABEL_OFFSET_KEY: ExecutionParameter(type=int),
        executor.CLASS_NAMES_FILE_KEY: ExecutionParameter(type=str),
        executor.SPAN_KEY: ExecutionParameter(type=int, optional=True),
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
    """Reads a corpus of images into source records, shuffled and split.

    The corpus is an image folder, a manifest, TFRecords or tar shards; see the modules of
    preprocessing/sources.

    The driver resolves `{SPAN}` and `{VERSION}` in the path, and puts a fingerprint of the corpus
    (names, sizes, times of change) into the exec property `input_fingerprint`, so that the cache
    sees changed data. Where an orchestrator runs no driver, the executor resolves the path
    itself; caching must then be off for the node.

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

    def __init__(
        self,
        path: str,
        eval_fraction: float = 0.2,
        seed: int = 0,
        data_format: str = "auto",
        label_offset: int = 0,
        class_names_file: str = "",
        span: int | None = None,
    ):
        """Makes the node.

        Args:
          path: of the corpus, local or a URI; may have `{SPAN}` and `{VERSION}`.
          eval_fraction: share of the images, 0 to 1, that the evaluation split gets, chosen by
            their content, of those that the corpus itself gives to no split.
          seed: of the split and of the shuffle.
          data_format: `folder`, `manifest`, `tfrecord`, `webdataset`, or `auto`: what is found.
          label_offset: the number of the first class, where the corpus has numbers.
          class_names_file: file with a class name a line, in the order of their numbers; empty
            where the corpus names its classes.
          span: the span to read, 0 or more; None for the newest.
        """
        super().__init__(
            ImageExampleGenSpec(
                path=path,
                data_format=data_format,
                label_offset=label_offset,
                class_names_file=class_names_file,
                span=span,
                eval_fraction=float(eval_fraction),
                seed=seed,
                code_digest=code_digest("components.image_example_gen"),
                examples=types.Channel(type=standard_artifacts.Examples),
                image_facts=types.Channel(type=standard_artifacts.Examples),
            )
        )
