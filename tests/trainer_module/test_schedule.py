"""Stages, steps and the learning rate."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stand_ins import OneOfRanks

from pipeline import config_file
from trainer_module.config import TrainConfig
from trainer_module.data.input_pipeline import step_examples
from trainer_module.distributed import SingleProcess
from trainer_module.schedule import Schedule
from trainer_module.stages import stage_schedule


def test_factors_are_linear_over_the_stages():
    config = TrainConfig(
        n_stages=4, base_img_size=128, img_size=300, base_randaug_mag=5, raug_magnitude=15
    )
    stages = stage_schedule(config)
    assert [stage.img_size for stage in stages] == [128, 185, 242, 300]
    assert [stage.randaug_magnitude for stage in stages] == pytest.approx([5, 25 / 3, 35 / 3, 15])


def test_the_published_stages():
    config = config_file.load(Path(__file__).parents[2] / "configs" / "imagenet_8gpu.yaml").trainer
    stages = stage_schedule(config)
    assert [stage.img_size for stage in stages] == [171, 214, 257, 300]
    assert [stage.randaug_magnitude for stage in stages] == pytest.approx([5, 25 / 3, 35 / 3, 15])
    assert [stage.end_epoch for stage in stages] == [87, 174, 261, 350]


@pytest.mark.parametrize("name", ["linear", "published"])
def test_one_stage_ignores_the_base_values(name):
    config = TrainConfig(base_img_size=64, img_size=96, base_mixup=1.0, stage_schedule=name)
    [stage] = stage_schedule(config)
    assert (stage.img_size, stage.mixup_alpha, stage.randaug_magnitude) == (96, 0.0, 0.0)


@given(
    n_stages=st.integers(1, 6),
    more_epochs=st.integers(0, 20),
    examples=st.integers(1, 500),
    batch=st.integers(1, 64),
    ranks=st.integers(1, 4),
    name=st.sampled_from(["linear", "published"]),
)
def test_stages_cover_every_step_once(n_stages, more_epochs, examples, batch, ranks, name):
    config = TrainConfig(
        n_stages=n_stages,
        stage_schedule=name,
        max_epochs=n_stages + more_epochs,
        lr_warmup_epochs=0,
        train_batch_size=batch,
    )
    schedule = Schedule(config, examples, ranks)
    stages = schedule.stages()
    steps = [step for _, first, end in stages for step in range(first, end)]
    assert steps == list(range(schedule.total_steps))
    assert [stage.end_epoch for stage, _, _ in stages][-1] == config.max_epochs
    assert all(stage.first_epoch < stage.end_epoch for stage, _, _ in stages)
    sizes = [stage.img_size for stage, _, _ in stages]
    assert sizes == sorted(sizes)
    assert sizes[-1] == config.img_size


@given(
    examples=st.integers(1, 80),
    batch=st.integers(1, 32),
    size=st.integers(1, 4),
    epochs=st.integers(1, 4),
    seed=st.integers(0, 5),
)
def test_every_epoch_has_each_example_exactly_once_over_all_ranks(
    examples, batch, size, epochs, seed
):
    config = TrainConfig(train_batch_size=batch, max_epochs=epochs, lr_warmup_epochs=0)
    schedule = Schedule(config, examples, size)
    seen = np.zeros((epochs + 1 + batch * size // examples, examples), np.int64)
    for step in range(schedule.total_steps):
        for rank in range(size):
            chosen, in_epoch = step_examples(seed, step, batch, OneOfRanks(rank, size), examples)
            np.add.at(seen, (in_epoch, chosen), 1)
    assert (seen[:epochs] == 1).all()
    assert seen[epochs:].sum() < batch * size  # the last batch is filled up, no more


def test_ranks_share_the_batch_of_one_process():
    whole, _ = step_examples(1, 3, 8, SingleProcess(), 50)
    parts = [step_examples(1, 3, 4, OneOfRanks(rank, 2), 50)[0] for rank in range(2)]
    assert np.array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("decay", ["cosine", "exponential", "piecewise", "constant"])
def test_learning_rate_warms_up_to_the_scaled_peak_and_never_rises_again(decay):
    config = TrainConfig(
        lr_init=0.1, lr_decay=decay, lr_warmup_epochs=2, max_epochs=10, train_batch_size=64
    )
    schedule = Schedule(config, examples=640, ranks=4)
    rates = [schedule.learning_rate(step) for step in range(schedule.total_steps)]
    warm_up = schedule.first_step(2)
    assert rates[0] > 0
    assert np.all(np.diff(rates[:warm_up]) > 0)
    assert max(rates) == pytest.approx(0.1 * 256 / 128)
    assert np.all(np.diff(rates[warm_up:]) <= 0)


def test_cosine_ends_at_zero():
    schedule = Schedule(TrainConfig(max_epochs=10, lr_warmup_epochs=1), examples=3200, ranks=1)
    peak = schedule.learning_rate(schedule.first_step(1))
    assert schedule.learning_rate(schedule.total_steps) == pytest.approx(0.0, abs=1e-9 * peak)
