"""Whether and how a training goes on from a checkpoint that was made with something else.

A checkpoint is a position in one sequence of batches. Where the sequence is the same and only cut
into other batches, or longer, the position is found in it; anything else is another training.
Nothing here imports TensorFlow.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from preprocessing.errors import InputError
from preprocessing.yaml_values import in_yaml
from trainer_module import effects
from trainer_module.config import TrainConfig
from trainer_module.effects import Effect
from trainer_module.made_with import MadeWith

# Characters of a digest that are shown.
DIGEST_CHARS = 12


@dataclasses.dataclass(frozen=True)
class Continuation:
    """How a training goes on.

    Attributes:
      images: the position that it goes on from, in images; a multiple of its global batch.
      messages: what is different now, one line each.
      keeps_best: whether the best evaluation so far can be compared with those to come.
    """

    images: int
    messages: list[str]
    keeps_best: bool


def plan(path: Path, before: MadeWith, now: MadeWith) -> Continuation:
    """How a training goes on from a checkpoint.

    Args:
      path: the checkpoint, for messages.
      before: what it was made with.
      now: what the training would make one with.

    Raises:
      InputError: it is another training; names the keys.
    """
    refused = [*changed_settings(before.settings, now.settings), *_changed_inputs(before, now)]
    if refused:
        raise InputError(
            f"checkpoint {path} does not fit these settings: {'; '.join(refused)}; go back to what "
            "it was made with, or use another model_dir"
        )
    images, messages = _position(before, now)
    messages += [
        f"{change}: goes on at epoch {before.epochs:.2f}"
        for change in _changes(before.settings, now.settings, ["max_epochs"])
    ]
    keeps_best = (before.settings["eval_img_size"], before.eval_records) == (
        now.settings["eval_img_size"],
        now.eval_records,
    )
    if not keeps_best:
        messages.append("evaluation changed: the best result is looked for anew")
    return Continuation(images, messages, keeps_best)


def changed_settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The settings that make it another training, as `key before -> now`.

    Args:
      before: the settings of a checkpoint, as `made_with.settings_of` gives them.
      now: those of the training.
    """
    names = effects.names(TrainConfig, Effect.WEIGHTS)
    # A default that follows from other settings is no choice of its own.
    names = [n for n in names if not (_is_derived(n, before) and _is_derived(n, now))]
    refused = _changes(before, now, names)
    if now["max_epochs"] < before["max_epochs"]:
        [change] = _changes(before, now, ["max_epochs"])
        refused.append(f"{change} (a training can become longer, not shorter)")
    return refused


def _changes(before: Mapping[str, Any], now: Mapping[str, Any], names: list[str]) -> list[str]:
    changes = []
    for name in names:
        # A checkpoint from before there was this setting was made with its default.
        was = before.get(name, _default(name, before))
        if was != now[name]:
            changes.append(f"{name} {in_yaml(was)} -> {in_yaml(now[name])}")
    return changes


def _is_derived(name: str, settings: Mapping[str, Any]) -> bool:
    """Whether a setting has the default that follows from the others."""
    field = TrainConfig.model_fields[name]
    return field.default_factory is not None and settings.get(name) == _default(name, settings)


def _default(name: str, settings: Mapping[str, Any]) -> Any:
    field = TrainConfig.model_fields[name]
    return field.get_default(call_default_factory=True, validated_data=dict(settings))


def _changed_inputs(before: MadeWith, now: MadeWith) -> list[str]:
    refused = []
    if before.train_records != now.train_records:
        counts = f"{before.examples} -> {now.examples}"
        what = counts if before.examples != now.examples else f"{now.examples}, other content"
        refused.append(f"data_dir has other training records ({what})")
    if before.class_names != now.class_names:
        refused.append("data_dir has other class names")
    if before.init_weights != now.init_weights:
        refused.append("init_weights is another file")
    return refused


def _position(before: MadeWith, now: MadeWith) -> tuple[int, list[str]]:
    """The position in the sequence of batches, and what is to be said of it."""
    keys = ["train_batch_size", "grad_accum_steps"]
    changes = _changes(before.settings, now.settings, keys)
    if before.ranks != now.ranks:
        changes.insert(0, f"ranks {before.ranks} -> {now.ranks}")
    if not changes:
        return before.images, []
    if before.global_batch == now.global_batch:
        return before.images, [f"{', '.join(changes)}: the global batch is the same"]
    batch = now.global_batch
    # All images of the last epoch: the last batch of a finished training takes some of the next.
    end = now.settings["max_epochs"] * now.examples
    images = -(-end // batch) * batch if before.images >= end else before.images // batch * batch
    again = before.images - images
    text = (
        f"{', '.join(changes)}: the global batch is {batch} instead of {before.global_batch}, and "
        f"step {before.images // before.global_batch} is now step {images // batch}"
    )
    return images, [text + (f"; {again} images are trained on once more" if again > 0 else "")]
