"""The training configuration: declared once, as YAML, flags, exec property and log.

It is made of groups (`recipe.py`, `job_settings.py`) and flat on the outside. The names are those
of the published EfficientNetV2 recipe, with some of our own. The values that are defaults are that
recipe's, for one process; what costs hardware (`use_amp`, `use_xla`) is off by default.
"""

import pydantic

from trainer_module.job_settings import (
    HardwareSettings,
    JobSettings,
    LaunchSettings,
    OutputSettings,
)
from trainer_module.recipe import (
    DataSettings,
    ModelSettings,
    OptimizerSettings,
    ScheduleSettings,
)


# pydantic takes the fields of the last base first.
class TrainConfig(
    JobSettings,
    OutputSettings,
    LaunchSettings,
    HardwareSettings,
    OptimizerSettings,
    ScheduleSettings,
    DataSettings,
    ModelSettings,
):
    """Settings of one training."""

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> "TrainConfig":
        if self.train_batch_size % self.grad_accum_steps:
            raise ValueError(
                "grad_accum_steps must divide train_batch_size. "
                f"Received: {self.grad_accum_steps} and {self.train_batch_size}"
            )
        if self.batch_norm == "syncbn" and self.use_xla and self.num_processes > 1:
            raise ValueError(
                "batch_norm 'syncbn' talks to the other ranks inside the step, which use_xla "
                "compiles: set one of them off. Received: batch_norm='syncbn', use_xla=True"
            )
        if self.n_stages > self.max_epochs:
            raise ValueError(
                "n_stages must not exceed max_epochs: a stage has at least one epoch. "
                f"Received: {self.n_stages} and {self.max_epochs}"
            )
        if self.hostfile and self.num_processes == 1:
            raise ValueError(
                "hostfile names machines for several ranks: set num_processes to their number. "
                f"Received: hostfile={self.hostfile!r}, num_processes=1"
            )
        if self.lr_warmup_epochs > self.max_epochs:
            raise ValueError(
                "lr_warmup_epochs must not exceed max_epochs. "
                f"Received: {self.lr_warmup_epochs} and {self.max_epochs}"
            )
        return self
