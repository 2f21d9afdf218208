"""The network, its training state and its step, made in one place for all who train."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from trainer_module import devices
from trainer_module.config import TrainConfig
from trainer_module.distributed import Ranks
from trainer_module.network import architectures, weights_io
from trainer_module.network.initial_weights import initial_weights
from trainer_module.network.model import Network
from trainer_module.train_step import TrainState, make_train_step


@dataclasses.dataclass(frozen=True)
class Built:
    """What a training computes with.

    Attributes:
      network: the layers, in the data format of this machine and these settings.
      state: what a step changes, at its beginning.
      step: takes (images uint8 [B, size, size, 3], targets float32 [B, classes], learning rate
        float32 [], whether to stop float32 []); see `make_train_step`.
    """

    network: Network
    state: TrainState
    step: Callable[..., tf.Tensor]


def build(config: TrainConfig, num_classes: int, ranks: Ranks) -> Built:
    """Makes network, state and step for the settings; nothing is traced yet.

    Args:
      config: the settings.
      num_classes: outputs of the classifier.
      ranks: the processes that train together.

    Raises:
      InputError: `config.init_weights` cannot be used.
    """
    network = build_network(config, num_classes)
    weights = initial_weights(network, config.seed)
    if config.init_weights:
        weights = weights_io.load_initial(config.init_weights, network, weights)
    state = TrainState(network, config, weights)
    return Built(network, state, make_train_step(network, config, state, ranks))


def build_network(config: TrainConfig, num_classes: int) -> Network:
    """Makes the network alone, without weights."""
    architecture = architectures.build(
        config.arch, num_classes, config.width_coefficient, config.depth_coefficient
    )
    return Network(architecture, devices.data_format(config))
