"""Steps, epochs and the learning rate.

Training reads one endless stream: the epochs' permutations one after the other, cut into global
batches. Batches are always full, and every epoch has each example exactly once; a batch may hold
the end of one epoch and the start of the next.
"""

import dataclasses
import math

from trainer_module.config import TrainConfig
from trainer_module.stages import Stage, stage_schedule

# The learning rates are published for this global batch.
LR_BATCH = 128
EXPONENTIAL_FACTOR, EXPONENTIAL_EPOCHS = 0.97, 2.4
# Shares of the training after which `piecewise` divides by 10: epochs 30, 60 and 80 of 90.
PIECEWISE_SHARES = (1 / 3, 2 / 3, 8 / 9)


@dataclasses.dataclass(frozen=True)
class Schedule:
    """When what happens.

    Attributes:
      config: the training's settings.
      examples: training examples, over all ranks.
      ranks: number of processes.
    """

    config: TrainConfig
    examples: int
    ranks: int

    @property
    def global_batch(self) -> int:
        """Images in a step, over all ranks."""
        return self.config.train_batch_size * self.ranks

    @property
    def total_steps(self) -> int:
        """Steps after which `max_epochs` are complete."""
        return self.first_step(self.config.max_epochs)

    def first_step(self, epoch: int) -> int:
        """The first step that takes nothing from before `epoch`."""
        return math.ceil(epoch * self.examples / self.global_batch)

    def epoch_at(self, step: int) -> float:
        """Epochs that are done before `step`."""
        return step * self.global_batch / self.examples

    def stages(self) -> list[tuple[Stage, int, int]]:
        """(stage, its first step, the step after its last), in order, without gap or overlap."""
        return [
            (stage, self.first_step(stage.first_epoch), self.first_step(stage.end_epoch))
            for stage in stage_schedule(self.config)
        ]

    def pixels_before(self, step: int) -> int:
        """Pixels of the training images of all steps before `step`: what their time goes by."""
        return sum(
            max(0, min(step, end) - first) * self.global_batch * stage.img_size**2
            for stage, first, end in self.stages()
        )

    def learning_rate(self, step: int) -> float:
        """The learning rate of `step`: a linear warm-up, then `lr_decay`."""
        config = self.config
        peak = config.lr_init * self.global_batch / LR_BATCH
        epoch = self.epoch_at(step)
        if epoch < config.lr_warmup_epochs:
            # The first step is not lost on a learning rate of 0.
            return peak * min(1.0, self.epoch_at(step + 1) / config.lr_warmup_epochs)
        after = epoch - config.lr_warmup_epochs
        if config.lr_decay == "cosine":
            share = after / max(config.max_epochs - config.lr_warmup_epochs, 1e-9)
            return peak * 0.5 * (1.0 + math.cos(math.pi * min(1.0, share)))
        if config.lr_decay == "exponential":
            return peak * EXPONENTIAL_FACTOR ** (after / EXPONENTIAL_EPOCHS)
        if config.lr_decay == "piecewise":
            passed = sum(epoch >= share * config.max_epochs for share in PIECEWISE_SHARES)
            return peak * 0.1**passed
        return peak
