"""Weights from and to keras.applications, and from trainings of our own."""

import keras
import numpy as np
import pytest

from preprocessing.errors import InputError
from trainer_module.network import architectures, weights_io
from trainer_module.network.initial_weights import initial_weights
from trainer_module.network.model import Network


@pytest.fixture(scope="module")
def reference():
    return keras.applications.EfficientNetV2B0(weights=None, classes=7, input_shape=(64, 64, 3))


def b0(classes: int) -> Network:
    return Network(architectures.build("efficientnetv2-b0", classes))


@pytest.mark.parametrize("ending", [".weights.h5", ".keras"])
def test_reads_the_files_of_keras(reference, tmp_path, ending):
    path = str(tmp_path / f"model{ending}")
    reference.save(path) if ending == ".keras" else reference.save_weights(path)
    network = b0(7)
    loaded = weights_io.load_initial(path, network, initial_weights(network, seed=0))
    expected = weights_io.from_keras(reference)
    assert all(np.array_equal(loaded[name], expected[name]) for name in loaded)
    assert len(loaded) == sum(
        len(layout.specs) for layout in (network.kernels, network.vectors, network.statistics)
    )


def test_gives_its_weights_to_keras(reference):
    network = b0(7)
    weights = initial_weights(network, seed=5)
    weights_io.to_keras(weights, reference)
    received = weights_io.from_keras(reference)
    assert all(np.array_equal(received[name], value) for name, value in weights.items())


def test_a_head_of_another_size_is_replaced_and_nothing_else(reference, tmp_path):
    path = str(tmp_path / "model.weights.h5")
    reference.save_weights(path)
    network = b0(3)
    fresh = initial_weights(network, seed=0)
    loaded = weights_io.load_initial(path, network, fresh)
    assert all(np.array_equal(loaded[name], fresh[name]) for name in weights_io.HEAD)
    expected = weights_io.from_keras(reference)
    assert all(
        np.array_equal(loaded[name], expected[name])
        for name in loaded
        if name not in weights_io.HEAD
    )


def test_own_files_round_trip(tmp_path):
    network = Network(architectures.build("efficientnetv2-s", 4, 0.1, 0.1))
    weights = initial_weights(network, seed=2)
    path = str(tmp_path / weights_io.WEIGHTS_FILE)
    weights_io.save(path, weights)
    loaded = weights_io.load_initial(path, network, initial_weights(network, seed=0))
    assert all(np.array_equal(loaded[name], value) for name, value in weights.items())


@pytest.mark.parametrize(
    ("in_file", "wanted", "named"),  # width and depth coefficient
    [
        ((0.1, 0.1), (0.3, 0.1), r"top_conv/kernel|block.*kernel|stem.*kernel"),
        ((0.1, 1.0), (0.1, 0.1), r"Received besides: \d+, as block"),  # not a part of a larger one
    ],
)
def test_what_does_not_fit_is_named(tmp_path, in_file, wanted, named):
    path = str(tmp_path / weights_io.WEIGHTS_FILE)
    other = Network(architectures.build("efficientnetv2-s", 4, *in_file))
    weights_io.save(path, initial_weights(other, seed=2))
    network = Network(architectures.build("efficientnetv2-s", 4, *wanted))
    with pytest.raises(InputError, match=named):
        weights_io.load_initial(path, network, initial_weights(network, seed=0))


@pytest.mark.parametrize("content", [None, b"no weights"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "model.weights.h5"
    if content:
        path.write_bytes(content)
    with pytest.raises(InputError, match="init_weights must be a"):
        weights_io.read(str(path), b0(3).architecture)
