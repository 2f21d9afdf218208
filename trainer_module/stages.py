"""The stage schedule: small, weakly augmented images first (arXiv 2104.00298, section 4).

`linear` is the paper's. `published` is that of the published EfficientNetV2 recipe (NVIDIA
DeepLearningExamples, TensorFlow2/Classification/ConvNets, runtime/runner.py): its first stage has
larger images than `base_img_size`, and its last the epochs that a division leaves over.
"""

import dataclasses

from trainer_module.config import TrainConfig


@dataclasses.dataclass(frozen=True)
class Stage:
    """What holds during one stage.

    Attributes:
      index: from 0.
      first_epoch: the stage's first epoch, from 0.
      end_epoch: the epoch after its last.
      img_size: side of the training images in pixels.
      mixup_alpha: mixup's alpha, 0 for none.
      cutmix_alpha: CutMix's alpha, 0 for none.
      randaug_magnitude: RandAugment's magnitude, 0 for none.
    """

    index: int
    first_epoch: int
    end_epoch: int
    img_size: int
    mixup_alpha: float
    cutmix_alpha: float
    randaug_magnitude: float

    def __str__(self) -> str:
        strengths = {
            "RandAugment": self.randaug_magnitude,
            "mixup": self.mixup_alpha,
            "CutMix": self.cutmix_alpha,
        }
        used = [f"{name} {strength:g}" for name, strength in strengths.items() if strength]
        epochs = f"epochs {self.first_epoch} to {self.end_epoch}"
        return ", ".join([epochs, f"{self.img_size} px", *used])


def stage_schedule(config: TrainConfig) -> tuple[Stage, ...]:
    """The stages in order; their epochs cover 0 to `max_epochs` without gap or overlap.

    Each factor is linear from its `base_` value in the first stage to its final value in the
    last; with `stage_schedule: published`, stage s of n (from 1) has images of a side of s / n of
    the way from `base_img_size` to `img_size`. With one stage the `base_` values have no effect,
    and `raug_magnitude: 0` turns RandAugment off in every stage.
    """
    n = config.n_stages
    base_magnitude = config.base_randaug_mag if config.raug_magnitude else 0.0

    def factor(index: int, base: float, final: float) -> float:
        return final if n == 1 else base + (final - base) * index / (n - 1)

    return tuple(
        Stage(
            index=index,
            first_epoch=_first_epoch(config, index),
            end_epoch=_first_epoch(config, index + 1),
            img_size=_img_size(config, index),
            mixup_alpha=factor(index, config.base_mixup, config.mixup_alpha),
            cutmix_alpha=factor(index, config.base_cutmix, config.cutmix_alpha),
            randaug_magnitude=factor(index, base_magnitude, config.raug_magnitude),
        )
        for index in range(n)
    )


def _first_epoch(config: TrainConfig, index: int) -> int:
    n = config.n_stages
    if config.stage_schedule == "published" and index < n:
        return index * (config.max_epochs // n)
    return index * config.max_epochs // n


def _img_size(config: TrainConfig, index: int) -> int:
    n = config.n_stages
    share = index / (n - 1) if n > 1 else 1.0
    if config.stage_schedule == "published":
        share = (index + 1) / n
    return int(config.base_img_size + (config.img_size - config.base_img_size) * share)
