"""Interface of the ImagePreprocessor component."""

from collections.abc import Sequence

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts, standard_component_specs
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.artifacts import Quarantine
from components.code_digest import code_digest
from components.image_preprocessor import executor
from preprocessing.images.colors import color_code, parse_color


class ImagePreprocessorSpec(types.ComponentSpec):
    """Inputs, outputs and parameters of `ImagePreprocessor`."""

    PARAMETERS = {
        "max_side_px": ExecutionParameter(type=int),
        "jpeg_quality": ExecutionParameter(type=int),
        "background": ExecutionParameter(type=str),
        "max_bad_fraction": ExecutionParameter(type=float),
        "max_pixels": ExecutionParameter(type=int),
        "shard_size_mb": ExecutionParameter(type=int),
        "on_duplicate": ExecutionParameter(type=str),
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
    """Normalises images and labels them; sets aside those that cannot be used.

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

    def __init__(
        self,
        examples: types.BaseChannel,
        schema: types.BaseChannel,
        max_side_px: int = 256,
        jpeg_quality: int = 95,
        background: str | Sequence[int] = "white",
        max_bad_fraction: float = 0.01,
        max_pixels: int = 100_000_000,
        shard_size_mb: int = 128,
        on_duplicate: str = "keep",
    ):
        """Makes the node.

        Args:
          examples: source records.
          schema: of the source records.
          max_side_px: the shorter side is shrunk to at most this many pixels.
          jpeg_quality: 1 to 100, of images that are encoded anew.
          background: what shows through transparent parts: a CSS colour name, `#rrggbb`, or red,
            green, blue, 0 to 255.
          max_bad_fraction: share of unusable images, 0 to 1, above which the run stops.
          max_pixels: an image whose header says more is set aside and not decoded.
          shard_size_mb: target size of an output shard, 10^6 bytes.
          on_duplicate: what becomes of files with the same bytes: `keep`, `drop` or `fail`; see
            preprocessing/stage/duplicates.py.
        """
        super().__init__(
            ImagePreprocessorSpec(
                examples=examples,
                schema=schema,
                max_side_px=max_side_px,
                jpeg_quality=jpeg_quality,
                background=color_code(parse_color(background)),
                max_bad_fraction=float(max_bad_fraction),
                max_pixels=max_pixels,
                shard_size_mb=shard_size_mb,
                on_duplicate=on_duplicate,
                code_digest=code_digest("components.image_preprocessor"),
                transformed_examples=types.Channel(type=standard_artifacts.Examples),
                transform_graph=types.Channel(type=standard_artifacts.TransformGraph),
                quarantine=types.Channel(type=Quarantine),
            )
        )
