"""Reads the weights of keras.applications, and of models that people built on them, from files.

Why not Keras's own loader: it takes weights only into a model of the very layers that wrote them,
so that the same fine-tuned model is read from one kind of file and refused from another; it makes
objects of whatever classes a file names, and fails in as many ways; and files of Keras 2 are among
those. A file is HDF5, perhaps in a zip, and holds arrays in one of two orders:

- by the layers' names, `.../stem_conv/kernel` (`.h5`, and our own files);
- by the layers' classes, `.../layers/conv2d_3/vars/0`, counted in the order of the network
  (`.weights.h5` and `.keras` of Keras 3 and of late versions of Keras 2).
"""

import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import h5py
import numpy as np

from preprocessing.errors import InputError
from trainer_module.network.model import Network

KINDS = "a .weights.h5, .h5 or .keras file"
HEAD_KERNEL, HEAD_BIAS = HEAD = ("predictions/kernel", "predictions/bias")
_IN_ZIP = "model.weights.h5"
_LAYER_OF_THE_NETWORK = re.compile(r"stem_\w+|top_\w+|block\d+[a-z]+_\w+")
_BY_CLASS = re.compile(r"(?P<network>.*/)?conv2d/vars/0")
# What Keras keeps beside the weights.
_NO_WEIGHTS = re.compile(r"(^|/)(optimizer|_?optimizer_weights|\w*seed_generator\w*)(/|$)")
_BN_VARIABLES = ("gamma", "beta", "moving_mean", "moving_variance")


def read(path: str, network: Network) -> dict[str, np.ndarray]:
    """The arrays of a weights file, by the names of `network`.

    Args:
      path: see `KINDS`.
      network: whose layers are looked for.

    Returns:
      What the file holds of layers of an EfficientNetV2, be they in `network` or not; and of the
      classifier, where the file has a single dense layer on the features.

    Raises:
      InputError: the file is missing, damaged or of another kind, or its layers are not those of
        the network.
    """
    stored = {name: array for name, array in _arrays(path).items() if not _NO_WEIGHTS.search(name)}
    by_class = [match for name in stored if (match := _BY_CLASS.fullmatch(name))]
    if by_class:
        prefixes = [match["network"] or "" for match in by_class]
        prefix = max(prefixes, key=lambda one: _count(stored, f"{one}conv2d"))
        named, rest = _from_class_names(path, stored, prefix, network)
    else:
        named, rest = _from_layer_names(path, stored)
    if not named:
        raise InputError(
            f"init_weights {path}: must hold the weights of an EfficientNetV2. Received: no layer "
            "of one"
        )
    return {**named, **_head(rest, network.architecture.top_channels)}


def _arrays(path: str) -> dict[str, np.ndarray]:
    """All datasets of a file, by their paths in it."""
    if not Path(path).is_file():
        raise InputError(f"init_weights must be {KINDS}. Received: {path!r}, which is no file")
    try:
        source: str | io.BytesIO = path
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                source = io.BytesIO(archive.read(_IN_ZIP))
        with h5py.File(source, "r") as file:
            return dict(_datasets(file))
    except Exception as error:  # damaged files make zipfile and h5py raise nearly anything
        reason = " ".join(str(error).split()).strip("'\"")[:200]
        raise InputError(
            f"init_weights must be {KINDS} that is not damaged. Received: {path!r} ({reason})"
        ) from None


def _datasets(file: h5py.File) -> Iterator[tuple[str, np.ndarray]]:
    found: list[tuple[str, h5py.Dataset]] = []
    file.visititems(
        lambda name, item: found.append((name, item)) if isinstance(item, h5py.Dataset) else None
    )
    for name, item in found:
        yield name, item[()]


def _from_layer_names(
    path: str, stored: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The network's arrays by name, and all others."""
    named, rest = {}, {}
    for key, array in stored.items():
        *_, layer, variable = ["", *key.split("/")]
        # Keras 2 has `kernel:0`, and a name of its own for that of a depthwise convolution.
        variable = variable.partition(":")[0].removeprefix("depthwise_")
        if not _LAYER_OF_THE_NETWORK.fullmatch(layer):
            rest[f"{key.rpartition('/')[0]}/{variable}"] = array
        elif f"{layer}/{variable}" in named:
            raise InputError(f"init_weights {path}: must hold one network. Received: two {layer}")
        else:
            named[f"{layer}/{variable}"] = array
    return named, rest


def _from_class_names(
    path: str, stored: Mapping[str, np.ndarray], prefix: str, network: Network
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The network's arrays by name, and all others."""
    layers = [name.rpartition("/")[0] for name, _ in network.kernels.specs if name != HEAD_KERNEL]
    depthwise = [layer for layer in layers if layer.endswith("_dwconv2")]
    norms = [name.removesuffix("/gamma") for name, _ in network.vectors.specs if "/gamma" in name]
    kinds = {
        "conv2d": ([layer for layer in layers if layer not in depthwise], ("kernel", "bias")),
        "depthwise_conv2d": (depthwise, ("kernel",)),
        "batch_normalization": (norms, _BN_VARIABLES),
    }
    named, rest = {}, dict(stored)
    for kind, (names, variables) in kinds.items():
        received = _count(stored, f"{prefix}{kind}")
        if received != len(names):
            raise InputError(
                f"init_weights {path}: must hold the weights of {network.architecture.arch} with "
                f"these coefficients, which has {len(names)} {kind} layers. Received: {received}"
            )
        for number, layer in enumerate(names):
            for index, variable in enumerate(variables):
                array = rest.pop(f"{_numbered(prefix + kind, number)}/vars/{index}", None)
                if array is not None:
                    named[f"{layer}/{variable}"] = array
    return named, rest


def _numbered(kind: str, number: int) -> str:
    return f"{kind}_{number}" if number else kind


def _count(stored: Mapping[str, np.ndarray], kind: str) -> int:
    """How many layers of a class there are."""
    pattern = re.compile(re.escape(kind) + r"(_\d+)?/vars/0")
    return sum(bool(pattern.fullmatch(name)) for name in stored)


def _head(rest: Mapping[str, np.ndarray], features: int) -> dict[str, np.ndarray]:
    """The classifier: the only matrix beside the network, with a bias beside it."""
    matrices = [name for name, array in rest.items() if array.ndim == 2]
    if len(matrices) != 1 or rest[matrices[0]].shape[0] != features:
        return {}
    layer, kernel = matrices[0].rpartition("/")[0], rest[matrices[0]]
    biases = [
        array
        for name, array in rest.items()
        if name.rpartition("/")[0] == layer and array.shape == kernel.shape[1:]
    ]
    return {HEAD_KERNEL: kernel, HEAD_BIAS: biases[0]} if len(biases) == 1 else {}
