"""One step: gradients, precision, skipped steps."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from trainer_module.build import build
from trainer_module.config import TrainConfig
from trainer_module.distributed import SingleProcess
from trainer_module.train_step import TrainState

BATCH, CLASSES, SIZE = 8, 5, 32


def batch(seed: int = 0) -> tuple[tf.Tensor, tf.Tensor]:
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (BATCH, SIZE, SIZE, 3)).astype(np.uint8)
    return tf.constant(images), tf.one_hot(generator.integers(0, CLASSES, BATCH), CLASSES)


def settings(**changes) -> TrainConfig:
    values = {
        "optimizer": "sgd",
        "momentum": 0.0,
        "weight_decay": 0.0,
        "dropout_rate": 0.0,
        "survival_prob": 1.0,
        "label_smoothing": 0.0,
        "moving_average_decay": 0.0,
        "train_batch_size": BATCH,
        "bn_momentum": 0.9,
        "width_coefficient": 0.1,
        "depth_coefficient": 0.1,
    }
    return TrainConfig(**{**values, **changes})


def take_steps(config: TrainConfig, images, targets, steps: int = 1):
    built = build(config, CLASSES, SingleProcess())
    metrics = [
        built.step(images, targets, tf.constant(0.05), tf.constant(0.0)).numpy()
        for _ in range(steps)
    ]
    return built.state, metrics


def weights(state: TrainState) -> np.ndarray:
    return np.concatenate([parameter.value.numpy() for parameter in state.parameters])


def test_micro_batches_give_the_gradient_of_the_whole_batch():
    # BatchNorm looks at a micro-batch at a time, so only batches whose parts are alike can give
    # the same gradient: here each of the two parts is the same four images.
    images, targets = batch()
    images = tf.concat([images[:4], images[:4]], 0)
    targets = tf.concat([targets[:4], targets[:4]], 0)
    whole, [metrics] = take_steps(settings(), images, targets)
    parts, [part_metrics] = take_steps(settings(grad_accum_steps=2), images, targets)
    start = weights(take_steps(settings(), images, targets, steps=0)[0])
    moved = weights(whole) - start
    assert np.abs(moved).max() > 1e-3
    np.testing.assert_allclose(weights(parts) - start, moved, atol=2e-5)
    np.testing.assert_allclose(part_metrics, metrics, rtol=1e-4)


def test_micro_batches_average_their_gradients():
    images, targets = batch()
    start = weights(take_steps(settings(), images, targets, steps=0)[0])
    both = weights(take_steps(settings(grad_accum_steps=2), images, targets)[0]) - start
    halves = []
    for rows in (slice(0, 4), slice(4, 8)):
        config = settings(train_batch_size=4)
        halves.append(weights(take_steps(config, images[rows], targets[rows])[0]) - start)
    np.testing.assert_allclose(both, np.mean(halves, axis=0), atol=2e-5)


@pytest.mark.parametrize(
    ("use_amp", "use_xla", "grad_accum_steps"),
    list(itertools.product([False, True], [False, True], [1, 2])),
)
def test_every_combination_learns_a_batch_by_heart(use_amp, use_xla, grad_accum_steps):
    config = settings(
        use_amp=use_amp,
        use_xla=use_xla,
        grad_accum_steps=grad_accum_steps,
        optimizer="adam",
        momentum=0.9,
        decay=0.99,
        clip_norm=1.0,
        moving_average_decay=0.9,
    )
    state, metrics = take_steps(config, *batch(), steps=6)
    losses = [loss for loss, *_ in metrics]
    assert losses[-1] < 0.9 * losses[0]
    assert all(variable.dtype != tf.bfloat16 for variable in state.variables().values())
    assert int(state.updates.numpy()) == 6


def test_amp_stays_near_float32():
    images, targets = batch()
    _, [full] = take_steps(settings(), images, targets)
    _, [half] = take_steps(settings(use_amp=True), images, targets)
    assert half[0] == pytest.approx(full[0], rel=0.05)
    assert half[0] != full[0]


def test_a_step_that_is_not_finite_changes_nothing_and_is_reported():
    images, targets = batch()
    config = settings(optimizer="adam", decay=0.99, moving_average_decay=0.9)
    built = build(config, CLASSES, SingleProcess())
    built.step(images, targets, tf.constant(0.01), tf.constant(0.0))
    before = {name: variable.numpy() for name, variable in built.state.variables().items()}
    metrics = built.step(images, targets * np.inf, tf.constant(0.01), tf.constant(0.0)).numpy()
    assert metrics[3] == 1.0
    after = {name: variable.numpy() for name, variable in built.state.variables().items()}
    assert after.pop("step") == before.pop("step") + 1
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert built.step(images, targets, tf.constant(0.01), tf.constant(0.0)).numpy()[3] == 0.0


def test_clipping_bounds_the_step():
    images, targets = batch()
    start = weights(take_steps(settings(), images, targets, steps=0)[0])
    moved = weights(take_steps(settings(clip_norm=0.1), images, targets)[0]) - start
    assert np.linalg.norm(moved) == pytest.approx(0.05 * 0.1, rel=1e-3)


def test_the_moving_average_lags_behind():
    state, _ = take_steps(settings(moving_average_decay=0.5), *batch(), steps=5)
    average = np.concatenate([value.numpy() for value in state.averages[:2]])
    start = weights(take_steps(settings(), *batch(), steps=0)[0])
    distance = np.linalg.norm(weights(state) - start)
    assert 0 < np.linalg.norm(average - start) < distance


def test_image_sizes_share_one_trace():
    config = settings()
    built = build(config, CLASSES, SingleProcess())
    _, targets = batch()
    for size in (24, 32, 40):
        images = tf.zeros([BATCH, size, size, 3], tf.uint8)
        built.step(images, targets, tf.constant(0.01), tf.constant(0.0))
    assert built.step.experimental_get_tracing_count() == 1
