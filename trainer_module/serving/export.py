"""The SavedModel: encoded images in, class names and probabilities out.

It loads with nothing but TensorFlow. BatchNorm is folded into the kernels and the weights are
constants, so that TensorFlow can prepare them once.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from preprocessing import features
from preprocessing.files import disk_full, saved_model
from trainer_module import top_k
from trainer_module.data.eval_image import RECORDS, FileOptions, eval_image
from trainer_module.network.model import Network
from trainer_module.serving import export_files
from trainer_module.serving.signatures import (
    EMBEDDING,
    EVAL_LABELS,
    EXAMPLES,
    IMAGE_BYTES,
    LABEL,
    LABEL_INDEX,
    PROBABILITIES,
    SERVING_DEFAULT,
    SERVING_EXAMPLES,
    TOP_K_LABELS,
    TOP_K_PROBABILITIES,
)


class ServedModel(tf.Module):
    """What is saved: one function a signature, around one set of constants."""

    def __init__(
        self,
        network: Network,
        folded: Mapping[str, np.ndarray],
        class_names: Sequence[str],
        size_px: int,
        options: FileOptions = RECORDS,
    ):
        """Takes the weights.

        Args:
          network: the architecture.
          folded: what `Network.fold` gives, as arrays.
          class_names: a name for each output.
          size_px: side of the images that enter the model.
          options: what the preprocessing did with the files of the records.
        """
        super().__init__()
        self._network = network
        self._folded = dict(folded)
        self.class_names = tuple(class_names)
        self.size_px = size_px
        self.options = options
        # One function for all signatures, so that the constants are saved once. It knows the
        # images' size, as some operations are faster then.
        pixels = tf.TensorSpec([None, size_px, size_px, features.CHANNELS], tf.uint8)
        self.infer = tf.function(self._infer_pixels, autograph=False, input_signature=[pixels])
        # Decoding has a branch for each format: it is traced once as well.
        files = tf.TensorSpec([None], tf.string)
        self.answers = tf.function(self._answers, autograph=False, input_signature=[files])

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string, IMAGE_BYTES)])
    def serving_default(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Classifies encoded images.

        Args:
          image_bytes: string [B], JPEG, PNG, BMP or GIF files as they are: upright by EXIF, alpha
            over the background, the first frame. B may be 0.

        Returns:
          `label` string [B], the likeliest class; `probabilities` float32 [B, classes];
          `top_k_labels` string [B, K] and `top_k_probabilities` float32 [B, K], K = min(5,
          classes), likeliest first. A row that cannot be decoded has NaN for probabilities and
          empty labels; the other rows are not affected.
        """
        probabilities, _, decoded = self.answers(image_bytes)
        top, indices = tf.math.top_k(probabilities, min(top_k.TOP_K, len(self.class_names)))
        names = tf.gather(self._names(), indices)
        names = tf.where(decoded[:, None], names, "")
        return {
            LABEL: names[:, 0],
            PROBABILITIES: tf.where(decoded[:, None], probabilities, np.nan),
            TOP_K_LABELS: names,
            TOP_K_PROBABILITIES: tf.where(decoded[:, None], top, np.nan),
        }

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string, IMAGE_BYTES)])
    def embedding(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """The features before the classifier, for search and for models on top of this one.

        Args:
          image_bytes: as in `serving_default`.

        Returns:
          `embedding` float32 [B, D]; NaN in a row that cannot be decoded.
        """
        _, pooled, decoded = self.answers(image_bytes)
        return {EMBEDDING: tf.where(decoded[:, None], pooled, np.nan)}

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string, EXAMPLES)])
    def serving_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Classifies serialized `tf.train.Example`s; see `serving_default`."""
        parsed = tf.io.parse_example(
            examples, {features.ENCODED: tf.io.FixedLenFeature([], tf.string)}
        )
        return self.serving_default(parsed[features.ENCODED])

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string, EXAMPLES)])
    def eval_labels(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """The true class of serialized `tf.train.Example`s, as this model numbers the classes.

        Returns:
          `label_index` int64 [B]; -1 where the model does not have the class.
        """
        parsed = tf.io.parse_example(
            examples, {features.CLASS_TEXT: tf.io.FixedLenFeature([], tf.string)}
        )
        names = self._names()
        same = tf.equal(parsed[features.CLASS_TEXT][:, None], names[None])  # [B, classes]
        return {LABEL_INDEX: tf.where(tf.reduce_any(same, -1), tf.argmax(same, -1), -1)}

    def with_weights(self, folded: Mapping[str, np.ndarray]) -> "ServedModel":
        """The same model with other weights; it computes in their dtype."""
        return ServedModel(self._network, folded, self.class_names, self.size_px, self.options)

    def description(self) -> dict[str, Any]:
        """What a program can know of the model without loading it, for `model.json`."""
        architecture = self._network.architecture
        return {
            "architecture": architecture.arch,
            "precision": self._folded["predictions/kernel"].dtype.name,
            "image_size_px": self.size_px,
            "embedding_size": architecture.top_channels,
            "top_k": min(top_k.TOP_K, len(self.class_names)),
            "preprocessing": {
                "input": "files as they are: JPEG, PNG, BMP, GIF (first frame)",
                "orientation": "by EXIF",
                "background": list(self.options.background),
                "max_side_px": self.options.max_side_px or None,
                "gray16": self.options.gray16,
                "max_pixels": self.options.max_pixels or None,
                "crop": "largest centred square",
                "resize": "bilinear, antialiased",
                "normalisation": "inside the model",
            },
            "tensorflow": tf.__version__,
        }

    def _infer_pixels(self, pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Probabilities float32 [B, classes], and features float32 [B, D]."""
        constants = {name: tf.constant(value) for name, value in self._folded.items()}
        logits, pooled = self._network.infer(constants, pixels)
        return tf.nn.softmax(logits), tf.cast(pooled, tf.float32)

    def _names(self) -> tf.Tensor:
        return tf.constant([name.encode() for name in self.class_names])  # [classes]

    def _answers(self, image_bytes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """What `_infer` gives, and which rows could be decoded, bool [B]."""
        pixels, decoded = self._decode(image_bytes)
        probabilities, pooled = self.infer(pixels)
        # Without any rows there is one too many.
        count = tf.size(image_bytes)
        return probabilities[:count], pooled[:count], decoded[:count]

    @tf.autograph.experimental.do_not_convert  # for the dataset in it; see input_pipeline.py
    def _decode(self, image_bytes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Pixels uint8 [B, size, size, 3] and whether each row could be decoded, bool [B].

        For no rows there is one of zeros, as convolutions take no empty batch.
        """
        count, size_px = tf.size(image_bytes, out_type=tf.int64), self.size_px
        rows = tf.data.Dataset.from_tensor_slices((tf.range(count), image_bytes))
        rows = rows.map(
            lambda row, encoded: (row, eval_image(encoded, size_px, self.options)),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        # Rows that fail drop out. One row more, which is cut off below, keeps the batch non-empty.
        sentinel = (count, tf.zeros([size_px, size_px, features.CHANNELS], tf.uint8))
        rows = rows.ignore_errors().concatenate(tf.data.Dataset.from_tensors(sentinel))
        numbers, pixels = rows.batch(count + 1).get_single_element()
        shape = tf.stack([count + 1, size_px, size_px, features.CHANNELS])
        pixels = tf.cond(
            tf.size(numbers, tf.int64) > count,  # all of them came through, in order
            lambda: pixels,
            lambda: tf.scatter_nd(numbers[:, None], pixels, tf.cast(shape, tf.int64)),
        )
        decoded = tf.scatter_nd(numbers[:, None], tf.ones_like(numbers), count[None] + 1)
        rows_kept = tf.maximum(count, 1)
        return pixels[:rows_kept], decoded[:rows_kept] > 0


def export(model: ServedModel, path: str | Path) -> None:
    """Saves a model under a temporary name and renames it; an export at `path` is replaced.

    Raises:
      DiskFullError: there is no space for it; an export at `path` is still there.
    """
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with disk_full.naming(path):
            tf.saved_model.save(
                model,
                str(partial),
                signatures={
                    SERVING_DEFAULT: model.serving_default,
                    SERVING_EXAMPLES: model.serving_examples,
                    EMBEDDING: model.embedding,
                    EVAL_LABELS: model.eval_labels,
                },
            )
            saved_model.make_canonical(partial)
            export_files.write(partial, model.class_names, model.description())
        shutil.rmtree(path, ignore_errors=True)
        partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
