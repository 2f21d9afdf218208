"""The network against keras.applications, which has the same architecture."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer_module.network import architectures
from trainer_module.network.initial_weights import initial_weights
from trainer_module.network.model import Network

REFERENCES = {
    "efficientnetv2-b0": keras.applications.EfficientNetV2B0,
    "efficientnetv2-s": keras.applications.EfficientNetV2S,
}


def random_weights(network: Network) -> dict[str, np.ndarray]:
    """Weights with which no layer is an identity and activations neither vanish nor explode."""
    generator = np.random.default_rng(0)
    weights = initial_weights(network, seed=0)
    ranges = {"gamma": (0.3, 0.6), "moving_variance": (0.9, 1.1)}
    for name, value in weights.items():
        kind = name.split("/")[-1]
        if kind != "kernel":
            low, high = ranges.get(kind, (-0.1, 0.1))
            weights[name] = generator.uniform(low, high, value.shape).astype(np.float32)
    return weights


@pytest.mark.parametrize(
    ("arch", "parameters"),
    [
        ("efficientnetv2-b0", 7_200_312),
        ("efficientnetv2-s", 21_612_360),
        ("efficientnetv2-m", 54_431_388),
        ("efficientnetv2-l", 119_027_848),
    ],
)
def test_has_the_published_number_of_parameters(arch, parameters):
    network = Network(architectures.build(arch, num_classes=1000))
    layouts = (network.kernels, network.vectors, network.statistics)
    assert sum(layout.size for layout in layouts) == parameters


@pytest.mark.parametrize("arch", sorted(REFERENCES))
def test_gives_the_outputs_of_keras_applications(arch):
    network = Network(architectures.build(arch, num_classes=20))
    weights = random_weights(network)
    reference = REFERENCES[arch](weights=None, classes=20, input_shape=(64, 96, 3))
    for layer in reference.layers:
        names = [variable.path.rsplit("/", 1)[-1] for variable in layer.weights]
        if f"{layer.name}/{names[0] if names else ''}" in weights:
            layer.set_weights([weights[f"{layer.name}/{name}"] for name in names])
    images = np.random.default_rng(1).integers(0, 256, (2, 64, 96, 3)).astype(np.uint8)
    tensors = {name: tf.constant(value) for name, value in weights.items()}

    logits, features = network.infer(network.fold(tensors, tensors), tf.constant(images))

    expected = reference(images.astype(np.float32), training=False)
    np.testing.assert_allclose(tf.nn.softmax(logits), expected, atol=1e-6)
    assert np.ptp(expected) > 1e-4  # the outputs differ between classes, so equality says something
    assert features.shape == (2, 1280)


def test_training_and_inference_agree_where_the_statistics_do():
    network = Network(architectures.build("efficientnetv2-s", 5, 0.1, 0.1))
    weights = {k: tf.constant(v) for k, v in random_weights(network).items()}
    images = np.random.default_rng(2).integers(0, 256, (16, 128, 128, 3)).astype(np.uint8)

    logits, statistics = network.train_logits(
        weights, tf.constant(images), dropout_rate=0.0, survival_prob=1.0, seed=tf.constant([0, 0])
    )
    folded = network.fold(weights, network.statistics.split(statistics))

    # The moving variance is unbiased, that of the batch is not: a difference of 1 / pixels.
    np.testing.assert_allclose(network.infer(folded, images)[0], logits, rtol=0.02, atol=0.02)


def test_stochastic_depth_drops_late_blocks_more_often():
    blocks = architectures.build("efficientnetv2-s", 10).blocks
    shares = [block.drop_share for block in blocks]
    assert shares[0] == 0.0
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(39 / 40)


def test_initial_weights_have_the_published_deviation():
    network = Network(architectures.build("efficientnetv2-s", 1000))
    weights = initial_weights(network, seed=3)
    kernel = weights["block6b_project_conv/kernel"]  # [1, 1, 1536, 256]
    assert kernel.std() == pytest.approx(np.sqrt(2 / 256), rel=0.02)
    assert weights["block6b_dwconv2/kernel"].std() == pytest.approx(np.sqrt(2 / 9), rel=0.03)
    again = initial_weights(network, seed=3)
    assert all(np.array_equal(weights[name], again[name]) for name in weights)


@pytest.mark.parametrize("width", [0.1, 0.25, 1.0, 1.5])
def test_channels_are_multiples_of_8_and_near_the_product(width):
    for channels in (24, 48, 64, 160, 1280):
        rounded = architectures.round_channels(channels, width)
        assert rounded % 8 == 0
        assert rounded >= 0.9 * channels * width


def test_channels_first_gives_the_same():
    # Compiled, as TensorFlow's own CPU kernels want channels last.
    architecture = architectures.build("efficientnetv2-s", 5, 0.1, 0.1)
    last, first = Network(architecture), Network(architecture, "channels_first")
    weights = {k: tf.constant(v) for k, v in random_weights(last).items()}
    images = np.random.default_rng(2).integers(0, 256, (4, 48, 32, 3)).astype(np.uint8)
    images, seed = tf.constant(images), tf.constant([1, 2])

    def outputs(network, mean_over_ranks):
        @tf.function(jit_compile=True, autograph=False)
        def run():
            trained = network.train_logits(weights, images, 0.1, 0.8, seed, mean_over_ranks)
            return (*trained, network.infer(network.fold(weights, weights), images)[0])

        return run()

    for mean_over_ranks in (None, tf.identity):
        for expected, received in zip(
            outputs(last, mean_over_ranks), outputs(first, mean_over_ranks), strict=True
        ):
            np.testing.assert_allclose(received, expected, rtol=1e-3, atol=1e-4)
