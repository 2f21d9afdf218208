"""Weights in files: our own, and those of keras.applications, which has the same layers.

Our files are HDF5 with a dataset a tensor, named `<layer>/<variable>` as in keras.applications.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

from preprocessing.errors import InputError
from preprocessing.files.new_file import new_file
from trainer_module.network import keras_files
from trainer_module.network.architectures import Architecture
from trainer_module.network.model import Network

if TYPE_CHECKING:
    import keras

WEIGHTS_FILE = "model.weights.h5"
HEAD = keras_files.HEAD


def save(path: str | Path, weights: Mapping[str, np.ndarray]) -> None:
    """Writes named arrays as HDF5; the file is complete or absent.

    Raises:
      DiskFullError: there is no space for it.
    """
    # In memory first: on a full disk HDF5 complains of each object, and the process may die.
    with h5py.File("weights", "w", driver="core", backing_store=False) as file:
        for name, value in weights.items():
            file[name] = value
        file.flush()
        content = file.id.get_file_image()
    with new_file(path) as temporary:
        temporary.write_bytes(content)


def load_initial(
    path: str, network: Network, fresh: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Weights to start a training from; a head of another size is replaced.

    Args:
      path: a file of `save`, or a `.weights.h5`, `.h5` or `.keras` file of keras.applications, or
        of a model that has such a network in it and a dense layer as its classifier.
      network: what will be trained.
      fresh: initial weights, from which a head that does not fit is taken.

    Returns:
      all weights of `network` by name.

    Raises:
      InputError: the file cannot be read, or a weight other than the head's does not fit or is
        too many; named.
    """
    found = read(path, network.architecture)
    if any(name not in found or found[name].shape != fresh[name].shape for name in HEAD):
        found = {**found, **{name: fresh[name] for name in HEAD}}
    for name, value in fresh.items():
        received = found[name].shape if name in found else "none"
        if received != value.shape:
            raise InputError(
                f"init_weights {path}: {name} must have shape {value.shape} for "
                f"{network.architecture.arch} with these coefficients. Received: {received}"
            )
    unknown = sorted(found.keys() - fresh.keys())
    if unknown:  # a part of a larger network is not what was asked for
        raise InputError(
            f"init_weights {path}: must hold the weights of {network.architecture.arch} with these "
            f"coefficients and no others. Received besides: {len(unknown)}, as {unknown[0]}"
        )
    return {name: found[name].astype(np.float32) for name in fresh}


def read(path: str, architecture: Architecture) -> dict[str, np.ndarray]:
    """The named arrays of a weights file.

    Raises:
      InputError: the file is missing, of another kind, or of another architecture.
    """
    return keras_files.read(path, Network(architecture))


def to_keras(weights: Mapping[str, np.ndarray], model: "keras.Model") -> None:
    """Sets the weights of a keras.applications model of the same architecture."""
    for layer in model.layers:
        names = _variable_names(layer)
        if f"{layer.name}/{names[0] if names else ''}" in weights:
            layer.set_weights([weights[f"{layer.name}/{name}"] for name in names])


def _variable_names(layer: "keras.Layer") -> list[str]:
    # Keras 3 calls a depthwise convolution's kernel `kernel`, as we do.
    return [variable.path.rsplit("/", 1)[-1] for variable in layer.weights]
