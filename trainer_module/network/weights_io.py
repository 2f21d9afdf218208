"""Weights in files: our own, and those of keras.applications, which has the same layers.

Our files are HDF5 with a dataset a tensor, named `<layer>/<variable>` as in keras.applications.
Keras's own files do not hold the layers' names, so they are read through a Keras model.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

from preprocessing.errors import InputError
from preprocessing.files.new_file import new_file
from trainer_module.network.architectures import Architecture
from trainer_module.network.model import Network

if TYPE_CHECKING:
    import keras

WEIGHTS_FILE = "model.weights.h5"
HEAD = ("predictions/kernel", "predictions/bias")
_KERAS_MODELS = {
    "efficientnetv2-b0": "EfficientNetV2B0",
    "efficientnetv2-s": "EfficientNetV2S",
    "efficientnetv2-m": "EfficientNetV2M",
    "efficientnetv2-l": "EfficientNetV2L",
}


def save(path: str | Path, weights: Mapping[str, np.ndarray]) -> None:
    """Writes named arrays as HDF5; the file is complete or absent."""
    with new_file(path) as temporary, h5py.File(temporary, "w") as file:
        for name, value in weights.items():
            file[name] = value


def load_initial(
    path: str, network: Network, fresh: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Weights to start a training from; a head of another size is replaced.

    Args:
      path: a file of `save`, or a `.weights.h5`, `.h5` or `.keras` file of keras.applications.
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
    return {name: found[name] for name in fresh}


def read(path: str, architecture: Architecture) -> dict[str, np.ndarray]:
    """The named arrays of a weights file.

    Raises:
      InputError: the file is missing, of another kind, or of another architecture.
    """
    if not Path(path).is_file():
        raise InputError(f"init_weights must be a file. Received: {path!r}")
    if path.endswith(".keras"):
        return _from_keras_file(path)
    try:
        with h5py.File(path, "r") as file:
            if "stem_conv/kernel" in file and isinstance(file["stem_conv/kernel"], h5py.Dataset):
                return _datasets(file)
            classes = _head_size(file, architecture.top_channels)
    except OSError:
        raise InputError(
            f"init_weights must be a .weights.h5, .h5 or .keras file. Received: {path!r}"
        ) from None
    return _from_keras_weights(path, architecture, classes)


def to_keras(weights: Mapping[str, np.ndarray], model: "keras.Model") -> None:
    """Sets the weights of a keras.applications model of the same architecture."""
    for layer in model.layers:
        names = _variable_names(layer)
        if f"{layer.name}/{names[0] if names else ''}" in weights:
            layer.set_weights([weights[f"{layer.name}/{name}"] for name in names])


def from_keras(model: "keras.Model") -> dict[str, np.ndarray]:
    """The named arrays of a keras.applications model."""
    return {
        f"{layer.name}/{name}": value
        for layer in model.layers
        for name, value in zip(_variable_names(layer), layer.get_weights(), strict=True)
    }


def _variable_names(layer: "keras.Layer") -> list[str]:
    # Keras 3 calls a depthwise convolution's kernel `kernel`, as we do.
    return [variable.path.rsplit("/", 1)[-1] for variable in layer.weights]


def _datasets(file: h5py.File) -> dict[str, np.ndarray]:
    arrays = {}

    def visit(name: str, item: h5py.HLObject) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    file.visititems(visit)
    return arrays


def _head_size(file: h5py.File, top_channels: int) -> int | None:
    """Classes of the classifier in a Keras file, or None where it has none."""
    sizes = [
        value.shape[1]
        for value in _datasets(file).values()
        if value.ndim == 2 and value.shape[0] == top_channels
    ]
    return sizes[-1] if sizes else None


def _from_keras_weights(
    path: str, architecture: Architecture, classes: int | None
) -> dict[str, np.ndarray]:
    import keras

    build = getattr(keras.applications, _KERAS_MODELS[architecture.arch])
    model = build(weights=None, include_top=classes is not None, classes=classes or 1000)
    try:
        model.load_weights(path)
    except (ValueError, KeyError, OSError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(
            f"init_weights {path}: does not hold the weights of {architecture.arch}: {reason}"
        ) from None
    return from_keras(model)


def _from_keras_file(path: str) -> dict[str, np.ndarray]:
    import keras

    try:
        return from_keras(keras.models.load_model(path, compile=False))
    except (ValueError, OSError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"init_weights {path}: is no Keras model: {reason}") from None
