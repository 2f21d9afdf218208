"""What TFX needs to know of the datasets that our components write."""

from tfx import types
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils


def describe_examples(examples: types.Artifact, splits: list[str]) -> None:
    """Says in an `Examples` artifact what it holds: its splits, of tf.train.Examples.

    No file format is set: TFX knows only `tfrecords_gzip` by name, and without a name it goes by
    the files' endings, as Beam does, which for ours means no compression.

    Args:
      examples: the artifact.
      splits: names of the splits; the records of each lie in the folder `Split-<name>`.
    """
    examples.split_names = artifact_utils.encode_split_names(splits)
    examples_utils.set_payload_format(examples, example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE)
