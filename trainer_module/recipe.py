"""The settings of the recipe: network, data, schedule, optimizer. They change the weights.

Parts of `trainer_module.config.TrainConfig`, which is flat on the outside. Most names are those of
the published EfficientNetV2 recipe, and the defaults are that recipe's for one process.
"""

from typing import Literal

from pydantic import Field

from preprocessing.settings import Float, Settings
from trainer_module.effects import Job, Position

ARCHITECTURES = ("efficientnetv2-b0", "efficientnetv2-s", "efficientnetv2-m", "efficientnetv2-l")


class ModelSettings(Settings):
    """Model."""

    arch: Literal[ARCHITECTURES] = "efficientnetv2-s"
    """Architecture, by its table in the paper."""
    width_coefficient: Float = Field(1.0, gt=0, le=4)
    """Factor on the number of channels."""
    depth_coefficient: Float = Field(1.0, gt=0, le=4)
    """Factor on the number of blocks of a stage."""
    dropout_rate: Float = Field(0.2, ge=0, lt=1)
    """Dropout before the classifier."""
    survival_prob: Float = Field(0.8, gt=0, le=1)
    """Probability that the last block is kept in stochastic depth; linear from 1 in the first."""
    batch_norm: Literal["bn", "syncbn"] = "bn"
    """BatchNorm over a rank's own micro-batch, or (syncbn) over those of all ranks."""
    bn_momentum: Float = Field(0.99, ge=0, lt=1)
    """Momentum of BatchNorm's moving averages. 0.9 for runs of few hundred steps, whose averages
    would otherwise lag behind."""
    # The file's content changes the weights, and is compared by its digest; its path does not.
    init_weights: Job[str] = ""
    """Weights to start from: a `.weights.h5`, `.h5` or `.keras` file of keras.applications or of a
    model built on it, or the `model.weights.h5` of an earlier training. A head of another size is
    replaced."""


class DataSettings(Settings):
    """Data and augmentation."""

    # As above: the records' content counts.
    data_dir: Job[str] = ""
    """Folder with the records: `train-*` and `eval-*` (or `validation-*`), and `labels.txt`."""
    num_classes: int = Field(0, ge=0)
    """Number of classes where `data_dir` has no `labels.txt`; 0 takes the names from there."""
    label_offset: int = Field(0, ge=0)
    """Label of the first class in the records; 1 for the classic ImageNet TFRecords."""
    base_mixup: Float = Field(0.0, ge=0)
    """Mixup's alpha in the first stage; 0 is off."""
    mixup_alpha: Float = Field(0.0, ge=0)
    """Mixup's alpha in the last stage."""
    base_cutmix: Float = Field(0.0, ge=0)
    """CutMix's alpha in the first stage; 0 is off."""
    cutmix_alpha: Float = Field(0.0, ge=0)
    """CutMix's alpha in the last stage."""
    augmenter_name: Literal["randaugment", "autoaugment"] = "randaugment"
    """RandAugment with the settings below, or AutoAugment's ImageNet policy, which has none."""
    base_randaug_mag: Float = Field(5.0, ge=0, le=30)
    """RandAugment's magnitude in the first stage."""
    raug_magnitude: Float = Field(0.0, ge=0, le=30)
    """RandAugment's magnitude in the last stage; 0 turns RandAugment off in all of them."""
    raug_num_layers: int = Field(2, ge=1, le=8)
    """RandAugment's operations per image."""
    random_flip: bool = True
    """Mirror half of the training images. Off for pictures whose sides mean something."""
    crop_min_area: Float = Field(0.08, gt=0, le=1)
    """Smallest share of the area that a random crop keeps; 1 takes whole images."""
    seed: int = Field(0, ge=0)
    """Seed of everything random."""


class ScheduleSettings(Settings):
    """Schedule."""

    max_epochs: Position[int] = Field(350, ge=1)
    """Epochs of the whole training, over all stages."""
    n_stages: int = Field(1, ge=1)
    """Stages of the schedule; the epochs are divided evenly."""
    stage_schedule: Literal["linear", "published"] = "linear"
    """Image sides of the stages. linear: from `base_img_size` in the first to `img_size` in the
    last. published: as the published code has them, from one `n_stages`-th of the way on."""
    base_img_size: int = Field(128, ge=8, le=4096)
    """Image side in pixels in the first stage (with `n_stages` 1: no effect)."""
    img_size: int = Field(300, ge=8, le=4096)
    """Image side in pixels in the last stage."""
    lr_init: Float = Field(0.005, gt=0)
    """Learning rate at a global batch of 128; it is multiplied with global batch / 128."""
    lr_decay: Literal["cosine", "exponential", "piecewise", "constant"] = "cosine"
    """Shape of the learning rate after the warm-up."""
    lr_warmup_epochs: Float = Field(
        default_factory=lambda values: min(5.0, values["max_epochs"] / 5), ge=0
    )
    """Epochs over which the learning rate rises linearly from 0. Where it is not given: 5, or a
    fifth of `max_epochs` where that is less."""


class OptimizerSettings(Settings):
    """Optimizer and loss."""

    optimizer: Literal["rmsprop", "sgd", "adam", "adamw", "lamb"] = "rmsprop"
    """Optimizer."""
    opt_epsilon: Float = Field(1e-3, gt=0)
    """Epsilon of rmsprop, adam, adamw and lamb."""
    momentum: Float = Field(0.9, ge=0, lt=1)
    """Momentum of rmsprop and sgd; beta_1 of the others."""
    decay: Float = Field(0.9, ge=0, lt=1)
    """Decay of rmsprop's mean square; beta_2 of adam, adamw and lamb."""
    weight_decay: Float = Field(5e-6, ge=0)
    """Weight decay; BatchNorm and biases have none. An L2 loss for rmsprop, sgd and adam;
    decoupled for adamw and lamb."""
    label_smoothing: Float = Field(0.1, ge=0, lt=1)
    """Label smoothing."""
    clip_norm: Float = Field(0.0, ge=0)
    """Gradients with a larger global norm are scaled down to it; 0 is off."""
    moving_average_decay: Float = Field(0.9999, ge=0, lt=1)
    """Decay of the moving average of the weights (EMA); 0 is off."""
