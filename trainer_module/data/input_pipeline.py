"""From TFRecords to batches, as tf.data.

What an image becomes depends only on (seed, epoch, image), and which images a step sees only on
the step, so any step can be produced without those before it.
"""

import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from preprocessing import features
from trainer_module.config import TrainConfig
from trainer_module.data import eval_image
from trainer_module.data.mixup_cutmix import mix_batch
from trainer_module.data.record_index import RecordIndex
from trainer_module.data.train_images import Augmentation, train_images
from trainer_module.distributed import Ranks
from trainer_module.seeds import in_31_bits
from trainer_module.stages import Stage

_FEATURES = {
    features.ENCODED: tf.io.FixedLenFeature([], tf.string),
    features.LABEL: tf.io.FixedLenFeature([], tf.int64),
}
# Batches that wait for the training step.
PREFETCH_BATCHES = 2
# Images that are decoded and augmented together, at most: a divisor of the batch is taken. Fewer
# cost a copy when they are joined, more a longer trace.
GROUP_IMAGES = 32
# Set apart from the seeds of images, which count from 0.
_MIX_SEED = 0x6D6978
# For what makes datasets. Their functions are written as graph operations already: to look for
# Python's `if` and `for` in them costs most of a second, and leaves files in the temporary folder
# where a process is killed.
_without_autograph = tf.autograph.experimental.do_not_convert


def epoch_order(seed: int, epoch: int, examples: int) -> np.ndarray:
    """The order of the examples in an epoch: a permutation, int64 [examples]."""
    return np.random.Generator(np.random.PCG64([seed, epoch])).permutation(examples)


def step_examples(
    seed: int, step: int, batch: int, ranks: Ranks, examples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Which examples a rank takes in a step.

    Returns:
      int64 [batch], the examples, and int64 [batch], the epoch of each.
    """
    first = (step * ranks.size + ranks.rank) * batch
    epochs, positions = np.divmod(np.arange(first, first + batch), examples)
    order = {epoch: _cached_order(seed, int(epoch), examples) for epoch in np.unique(epochs)}
    chosen = [order[epoch][position] for epoch, position in zip(epochs, positions, strict=True)]
    return np.asarray(chosen, np.int64), epochs


@functools.lru_cache(maxsize=2)
def _cached_order(seed: int, epoch: int, examples: int) -> np.ndarray:
    return epoch_order(seed, epoch, examples)


@_without_autograph
def train_dataset(
    index: RecordIndex,
    config: TrainConfig,
    stages: Sequence[tuple[Stage, int, int]],
    begin: int,
    num_classes: int,
    ranks: Ranks,
) -> tf.data.Dataset:
    """The batches of one rank from a step on, through all stages.

    One dataset for all of them: a change of stage costs no new trace, and the first batches of a
    stage are made while the last ones of the stage before are trained on.

    Args:
      index: the training records.
      config: the settings.
      stages: (stage, its first step, the step after its last), in order and without gaps.
      begin: the first step.
      num_classes: number of classes.
      ranks: which share of each step is read.

    Returns:
      a dataset of (images uint8 [train_batch_size, size, size, 3], where the size is that of the
      step's stage, targets float32 [train_batch_size, num_classes], which sum to 1 in each row).
    """
    batch, seed = config.train_batch_size, in_31_bits(config.seed)
    sizes = tf.constant([stage.img_size for stage, _, _ in stages])
    magnitudes = tf.constant([stage.randaug_magnitude for stage, _, _ in stages], tf.float64)
    alphas = tf.constant([(stage.mixup_alpha, stage.cutmix_alpha) for stage, _, _ in stages])
    ends = tf.constant([end for _, _, end in stages], tf.int64)

    def stage_at(step: tf.Tensor) -> tf.Tensor:
        return tf.searchsorted(ends, step[None], side="right")[0]

    def read(step: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        chosen, epochs = step_examples(config.seed, int(step), batch, ranks, len(index))
        return np.asarray(index.read(chosen), object), chosen, epochs

    # What is the same work for all images of a batch is done once, and not image by image.
    def parse(step: tf.Tensor) -> dict[str, tf.Tensor]:
        records, chosen, epochs = tf.numpy_function(
            read, [step], (tf.string, tf.int64, tf.int64), stateful=False
        )
        parsed = tf.io.parse_example(tf.ensure_shape(records, [batch]), _FEATURES)
        labels = parsed[features.LABEL] - config.label_offset
        return {
            "encoded": parsed[features.ENCODED],
            "target": tf.one_hot(_checked(labels, num_classes), num_classes),
            "example": tf.ensure_shape(tf.cast(chosen, tf.int32), [batch]),
            "epoch": tf.ensure_shape(tf.cast(epochs, tf.int32), [batch]),
            "stage": tf.repeat(stage_at(step), batch),
        }

    def augment(group: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        stage = group["stage"][0]  # all images of a group belong to the same step
        options = Augmentation(
            sizes[stage],
            config.crop_min_area,
            config.random_flip,
            config.augmenter_name == "autoaugment",
            config.raug_num_layers,
            magnitudes[stage],
        )
        pairs = zip(tf.unstack(group["epoch"]), tf.unstack(group["example"]), strict=True)
        seeds = [tf.random.fold_in([seed, epoch], example) for epoch, example in pairs]
        return train_images(group["encoded"], tf.stack(seeds), options), group["target"]

    def join(pictures: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        shape = tf.shape(pictures)  # [groups, images of a group, size, size, 3]
        pictures = tf.reshape(pictures, [batch, shape[2], shape[3], features.CHANNELS])
        return pictures, tf.reshape(targets, [batch, num_classes])

    def mix(step: tf.Tensor, batch_: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        number = tf.cast(step, tf.int32) * ranks.size + ranks.rank
        mix_seed = tf.random.fold_in(tf.constant([seed, _MIX_SEED]), number)
        return mix_batch(*batch_, mix_seed, *tf.unstack(alphas[stage_at(step)]))

    numbers = tf.data.Dataset.range(begin, stages[-1][2])
    dataset = numbers.map(parse, num_parallel_calls=2)
    group = max(n for n in range(1, GROUP_IMAGES + 1) if batch % n == 0)
    if group < batch:  # else a batch is one group
        dataset = dataset.unbatch().batch(group, drop_remainder=True)
    dataset = dataset.map(augment, num_parallel_calls=tf.data.AUTOTUNE)
    if group < batch:
        dataset = dataset.batch(batch // group, drop_remainder=True).map(join)
    if any(stage.mixup_alpha or stage.cutmix_alpha for stage, _, _ in stages):
        dataset = tf.data.Dataset.zip((numbers, dataset))
        dataset = dataset.map(mix, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.prefetch(PREFETCH_BATCHES)


@_without_autograph
def eval_dataset(
    index: RecordIndex, config: TrainConfig, num_classes: int, ranks: Ranks
) -> tf.data.Dataset:
    """The share of one rank of an evaluation split; the shares cover each example once.

    Returns:
      a dataset of (images uint8 [b, size, size, 3], labels int64 [b]); only the last batch has
      fewer than `eval_batch_size` images.
    """

    def parse(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        parsed = tf.io.parse_single_example(record, _FEATURES)
        label = _checked(parsed[features.LABEL] - config.label_offset, num_classes)
        return eval_image.eval_image(parsed[features.ENCODED], config.eval_img_size), label

    mine = range(ranks.rank, len(index), ranks.size)
    dataset = read_records(index, mine, config.eval_batch_size).unbatch()
    dataset = dataset.map(parse, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.batch(config.eval_batch_size).prefetch(PREFETCH_BATCHES)


@_without_autograph
def read_records(index: RecordIndex, chosen: range, batch: int) -> tf.data.Dataset:
    """The records at `chosen`, as string vectors of up to `batch` records."""

    def read(rows: np.ndarray) -> np.ndarray:
        return np.asarray(index.read(rows), object)

    rows = tf.data.Dataset.range(chosen.start, chosen.stop, chosen.step).batch(batch)
    return rows.map(
        lambda row: tf.ensure_shape(tf.numpy_function(read, [row], tf.string), [None]),
        num_parallel_calls=2,
    )


def _checked(label: tf.Tensor, num_classes: int) -> tf.Tensor:
    check = tf.debugging.Assert(
        tf.reduce_all(tf.logical_and(label >= 0, label < num_classes)),
        [
            "a label must be 0 to the number of classes - 1; set label_offset where labels do not "
            "start at 0. Received (label, classes):",
            label,
            num_classes,
        ],
    )
    with tf.control_dependencies([check] if check is not None else []):
        return tf.identity(label)
