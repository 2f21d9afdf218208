"""Which changes a training takes on, where it goes on then, and which it refuses."""

import dataclasses
import math
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.errors import InputError
from trainer_module import continuation, effects, made_with
from trainer_module.config import TrainConfig
from trainer_module.effects import Effect
from trainer_module.made_with import MadeWith

PATH = Path("checkpoints/step-000000000030.npz")
EXAMPLES = 150
BASE = {"max_epochs": 8, "train_batch_size": 16, "n_stages": 2, "num_processes": 1}


def made(images: int = 0, ranks: int = 1, **changes) -> MadeWith:
    """What a checkpoint at a position is made with; changes are settings."""
    return MadeWith(
        settings=made_with.settings_of(TrainConfig(**{**BASE, **changes})),
        ranks=ranks,
        examples=EXAMPLES,
        train_records="a" * 64,
        eval_records="b" * 64,
        class_names="c" * 64,
        init_weights="",
        images=images,
        code=(("1" * 64, images),) if images else (),
    )


def another_value(name: str):
    """A value of a setting that is not its default."""
    field = TrainConfig.model_fields[name]
    value = getattr(TrainConfig(**BASE), name)
    if get_origin(field.annotation) is Literal:
        return next(choice for choice in get_args(field.annotation) if choice != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return "#000000"  # a path, or a colour
    return value / 2 or 0.25


def names(effect: Effect) -> list[str]:
    return effects.names(TrainConfig, effect)


@pytest.mark.parametrize("name", names(Effect.WEIGHTS))
def test_what_changes_the_weights_is_another_training_and_is_named(name):
    now = made(**{name: another_value(name)})
    with pytest.raises(InputError, match=rf"does not fit these settings: {name} .* -> ") as caught:
        continuation.plan(PATH, made(320), now)
    assert str(PATH) in str(caught.value)


@pytest.mark.parametrize("name", [*names(Effect.JOB), *names(Effect.OUTPUT)])
def test_what_does_not_change_the_weights_changes_nothing(name):
    changes = {name: another_value(name)}
    if name == "hostfile":  # is for several ranks
        changes["num_processes"] = 2
    plan = continuation.plan(PATH, made(320), made(**changes))
    assert plan.images == 320
    assert plan.keeps_best == (name != "eval_img_size")
    assert (plan.messages == []) == plan.keeps_best


@given(
    images=st.integers(1, 80).map(lambda steps: steps * 16),
    batch=st.integers(1, 64),
    ranks=st.integers(1, 4),
    longer=st.integers(0, 8),
)
def test_the_place_is_found_by_the_images_that_were_seen(images, batch, ranks, longer):
    end = BASE["max_epochs"] * EXAMPLES
    images = min(images, math.ceil(end / 16) * 16)
    changes = {"train_batch_size": batch, "max_epochs": BASE["max_epochs"] + longer}
    now = made(ranks=ranks, **changes)
    plan = continuation.plan(PATH, made(images), now)
    assert plan.images % now.global_batch == 0
    if images >= end and not longer:
        assert plan.images >= end  # complete it was, and complete it stays
        assert plan.images - end < now.global_batch
    else:
        assert 0 <= images - plan.images < now.global_batch
        skipped = images - plan.images
        assert any("once more" in message for message in plan.messages) == (skipped > 0)
    if now.global_batch != 16:
        assert f"the global batch is {now.global_batch} instead of 16" in plan.messages[0]
    if longer:
        assert f"max_epochs 8 -> {8 + longer}: goes on at epoch" in plan.messages[-1]


def test_micro_batches_may_change():
    plan = continuation.plan(PATH, made(320), made(grad_accum_steps=4))
    assert plan.images == 320
    assert plan.messages == ["grad_accum_steps 1 -> 4: the global batch is the same"]


def test_a_training_becomes_longer_but_not_shorter():
    with pytest.raises(InputError, match=r"max_epochs 8 -> 7 \(a training can become longer"):
        continuation.plan(PATH, made(320), made(max_epochs=7))


def test_a_warm_up_that_follows_from_the_epochs_is_no_change():
    assert made().settings["lr_warmup_epochs"] != made(max_epochs=12).settings["lr_warmup_epochs"]
    continuation.plan(PATH, made(320), made(max_epochs=12))
    continuation.plan(PATH, made(320, lr_warmup_epochs=2.0), made(lr_warmup_epochs=2.0))
    with pytest.raises(InputError, match=r"lr_warmup_epochs 1\.6 -> 2\.0"):
        continuation.plan(PATH, made(320), made(lr_warmup_epochs=2.0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_records": "d" * 64}, "other training records .150, other content"),
        ({"train_records": "d" * 64, "examples": 160}, "other training records .150 -> 160"),
        ({"class_names": "d" * 64}, "other class names"),
        ({"init_weights": "d" * 64}, "init_weights is another file"),
    ],
)
def test_another_corpus_is_another_training(changes, message):
    with pytest.raises(InputError, match=message):
        continuation.plan(PATH, made(320), dataclasses.replace(made(), **changes))


def test_other_evaluation_records_forget_the_best_evaluation():
    now = dataclasses.replace(made(), eval_records="d" * 64)
    plan = continuation.plan(PATH, made(320), now)
    assert not plan.keeps_best
    assert plan.messages == ["evaluation changed: the best result is looked for anew"]


def test_a_setting_that_is_new_had_its_default():
    before = made(320)
    old = {name: value for name, value in before.settings.items() if name != "stage_schedule"}
    before = dataclasses.replace(before, settings=old)
    continuation.plan(PATH, before, made())
    with pytest.raises(InputError, match="stage_schedule 'linear' -> 'published'"):
        continuation.plan(PATH, before, made(stage_schedule="published"))


def test_which_steps_ran_under_which_code():
    first, second = "1" * 64, "2" * 64
    start = made().at(160, first)
    assert start.code_history() == [{"digest": first, "first_step": 1, "last_step": 10}]
    again = made().continued_from(start, 160)
    assert again.at(160, second).code == start.code  # no step yet
    same = again.at(320, first)
    assert same.code_history() == [{"digest": first, "first_step": 1, "last_step": 20}]
    other = again.at(320, second)
    assert other.code_history() == [
        {"digest": first, "first_step": 1, "last_step": 10},
        {"digest": second, "first_step": 11, "last_step": 20},
    ]
    assert MadeWith.from_json(other.to_json()) == other
    # In batches of 32 the same images are half as many steps.
    larger = made(train_batch_size=32).continued_from(other, 320).at(384, second)
    assert larger.code_history() == [
        {"digest": first, "first_step": 1, "last_step": 5},
        {"digest": second, "first_step": 6, "last_step": 12},
    ]
