"""The flat optimizers against Keras's."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer_module import optimizers
from trainer_module.config import TrainConfig
from trainer_module.network.flat_vector import Layout, Spec
from trainer_module.optimizers import Parameter

LAYOUT = Layout([Spec("a", (3, 4)), Spec("b", (5,))])
RATE, DECAY = 0.05, 0.01

KERAS = {
    "sgd": lambda: keras.optimizers.SGD(RATE, momentum=0.9),
    "rmsprop": lambda: keras.optimizers.RMSprop(RATE, rho=0.95, momentum=0.9, epsilon=1e-3),
    "adam": lambda: keras.optimizers.Adam(RATE, 0.9, 0.95, epsilon=1e-3),
    "adamw": lambda: keras.optimizers.AdamW(
        RATE, weight_decay=DECAY, beta_1=0.9, beta_2=0.95, epsilon=1e-3
    ),
    "lamb": lambda: keras.optimizers.Lamb(RATE, 0.9, 0.95, epsilon=1e-3),
}


def parameter(config: TrainConfig, start: np.ndarray, decays: bool) -> Parameter:
    slots = tuple(tf.Variable(np.zeros_like(start)) for _ in range(optimizers.num_slots(config)))
    return Parameter(tf.Variable(start), slots, LAYOUT, decays)


@pytest.mark.parametrize("name", sorted(KERAS))
def test_takes_the_steps_of_keras(name):
    decay = DECAY if name == "adamw" else 0.0
    config = TrainConfig(
        optimizer=name, momentum=0.9, decay=0.95, opt_epsilon=1e-3, weight_decay=decay
    )
    generator = np.random.default_rng(0)
    start = generator.normal(size=LAYOUT.size).astype(np.float32)
    ours = parameter(config, start, decays=True)
    reference = KERAS[name]()
    theirs = [tf.Variable(value) for value in LAYOUT.split_array(start.copy()).values()]
    update = optimizers.make_update(config)
    for count in range(1, 6):
        gradient = generator.normal(size=LAYOUT.size).astype(np.float32)
        update(ours, tf.constant(gradient), tf.constant(RATE), tf.constant(count, tf.int64))
        reference.apply_gradients(
            zip(map(tf.constant, LAYOUT.split_array(gradient).values()), theirs, strict=True)
        )
    expected = np.concatenate([value.numpy().reshape(-1) for value in theirs])
    tolerance = 2e-3 if name == "rmsprop" else 1e-5  # TensorFlow's adds epsilon inside the root
    np.testing.assert_allclose(ours.value.numpy(), expected, atol=tolerance)
    assert not np.allclose(expected, start, atol=0.1)


@pytest.mark.parametrize("name", ["adamw", "lamb"])
def test_decoupled_decay_spares_what_does_not_decay(name):
    config = TrainConfig(optimizer=name, weight_decay=0.5)
    start = np.ones(LAYOUT.size, np.float32)
    zero = tf.zeros(LAYOUT.size)
    decaying, plain = parameter(config, start, True), parameter(config, start, False)
    for one in (decaying, plain):
        optimizers.make_update(config)(one, zero, tf.constant(0.1), tf.constant(1, tf.int64))
    assert np.all(decaying.value.numpy() < 1.0)
    assert np.array_equal(plain.value.numpy(), start)


@pytest.mark.parametrize(("name", "coupled"), [("sgd", True), ("adamw", False), ("lamb", False)])
def test_the_l2_term_is_in_the_gradient_of_coupled_optimizers(name, coupled):
    config = TrainConfig(optimizer=name, weight_decay=0.25)
    one = parameter(config, np.full(LAYOUT.size, 2.0, np.float32), True)
    gradient = optimizers.l2_gradient(config, one, tf.zeros(LAYOUT.size))
    assert np.all(gradient.numpy() == (0.5 if coupled else 0.0))
