"""A real exported model that is small enough for a test."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

CLASSES = ("ant", "bee", "ça va", "dog", "emu", "fox")
SIZE_PX = 24
BACKGROUND = (0, 200, 0)
MAX_PIXELS = 1_000_000


def network(num_classes: int = len(CLASSES)):
    """The network of `write`."""
    from trainer_module.network import architectures
    from trainer_module.network.model import Network

    return Network(architectures.build("efficientnetv2-s", num_classes, 0.1, 0.1))


def folded(num_classes: int = len(CLASSES), seed: int = 3) -> dict[str, np.ndarray]:
    """The weights of `write`."""
    import tensorflow as tf

    from trainer_module.network.initial_weights import initial_weights

    net = network(num_classes)
    weights = {name: tf.constant(v) for name, v in initial_weights(net, seed=seed).items()}
    return {name: value.numpy() for name, value in net.fold(weights, weights).items()}


def write(folder: Path, classes: Sequence[str] = CLASSES, seed: int = 3) -> Path:
    """Exports a network with random weights."""
    from trainer_module.data.eval_image import FileOptions
    from trainer_module.network.model import Network
    from trainer_module.network.tensor_format import ServedFormat
    from trainer_module.serving.export import ServedModel, export

    served = Network(network(len(classes)).architecture, ServedFormat())
    options = FileOptions(BACKGROUND, gray16="stretch", max_pixels=MAX_PIXELS)
    model = ServedModel(served, folded(len(classes), seed), classes, SIZE_PX, options)
    export(model, folder)
    return folder
