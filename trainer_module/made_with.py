"""What a checkpoint was made with: it counts the batches of one training, and names that training.

Nothing here imports TensorFlow, so that a pipeline can look for a training to go on with.
"""

import dataclasses
import json
from typing import Any

from trainer_module import effects
from trainer_module.config import TrainConfig
from trainer_module.effects import Effect

_EFFECTS = (Effect.WEIGHTS, Effect.POSITION, Effect.OUTPUT)


def settings_of(config: TrainConfig) -> dict[str, Any]:
    """The settings that say which training it is, by name."""
    return config.model_dump(mode="json", include=set(effects.names(TrainConfig, *_EFFECTS)))


@dataclasses.dataclass(frozen=True)
class MadeWith:
    """What a checkpoint was made with.

    Attributes:
      settings: as `settings_of` gives them.
      ranks: number of processes.
      examples: training images of an epoch.
      train_records: digest of the training records and their order.
      eval_records: the same of the evaluation records.
      class_names: digest of the class names and their order.
      init_weights: digest of the file of weights that it started from, empty where there was none.
      images: its position: training images that were taken, over all ranks and epochs.
      code: which code trained on its images: (digest, the position at the end), in order.
    """

    settings: dict[str, Any]
    ranks: int
    examples: int
    train_records: str
    eval_records: str
    class_names: str
    init_weights: str
    images: int = 0
    code: tuple[tuple[str, int], ...] = ()

    @property
    def global_batch(self) -> int:
        """Images of a step, over all ranks."""
        return self.settings["train_batch_size"] * self.ranks

    @property
    def epochs(self) -> float:
        """Its position in epochs."""
        return self.images / self.examples

    def at(self, images: int, digest: str) -> "MadeWith":
        """The same at a later position, reached under the code of this digest."""
        code = list(self.code)
        if code and code[-1][0] == digest:
            code.pop()
        if images > (code[-1][1] if code else 0):
            code.append((digest, images))
        return dataclasses.replace(self, images=images, code=tuple(code))

    def continued_from(self, before: "MadeWith", images: int) -> "MadeWith":
        """The same at a position that was reached with what a checkpoint was made with.

        Args:
          before: what the checkpoint was made with.
          images: the position, which may lie before that of the checkpoint.
        """
        code = tuple((digest, min(end, images)) for digest, end in before.code)
        return dataclasses.replace(self, images=images, code=code)

    def code_history(self) -> list[dict[str, Any]]:
        """The steps by code: `digest`, `first_step` and `last_step`, from 1, in today's batches."""
        history, ended = [], 0
        for digest, images in self.code:
            last = images // self.global_batch
            if last > ended:
                history.append({"digest": digest, "first_step": ended + 1, "last_step": last})
            ended = max(ended, last)
        return history

    def to_json(self) -> str:
        """As one line of JSON."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "MadeWith":
        """Reads what `to_json` wrote."""
        values = json.loads(text)
        code = tuple((digest, images) for digest, images in values.pop("code"))
        return cls(**values, code=code)
