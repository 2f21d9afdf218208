"""Latency of the exported model against the same Keras model saved as it is.

Both have the same weights (random ones with which outputs differ) and get the same encoded JPEGs
of the evaluation size, so that both see the same pixels. The peer is `model.export` of
keras.applications.EfficientNetV2S behind the decoding that one writes first: `tf.map_fn` over
`tf.io.decode_jpeg`. Its network alone, without decoding, is printed too. Processor time, which
other processes disturb less, stands beside the time on the clock.

    .venv/bin/python benchmarks/serving_latency.py [--quick]
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from common import Verdict, print_machine, print_table

from trainer_module.network import architectures, weights_io
from trainer_module.network.initial_weights import initial_weights
from trainer_module.network.model import Network
from trainer_module.network.tensor_format import ServedFormat
from trainer_module.serving.export import ServedModel, export

SIZE_PX, CLASSES = 224, 1000
BATCH_SIZES = (1, 32)
MIN_RATIO, MAX_DIFFERENCE = 1.2, 1e-3
# BatchNorm's values, so that it is no identity; the classifier's factor makes outputs differ.
RANGES = {"gamma": (0.5, 1.0), "moving_variance": (0.5, 1.5)}
HEAD_FACTOR = 30.0


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    args = parser.parse_args()
    print_machine()
    verdict = Verdict()
    network = Network(architectures.build("efficientnetv2-s", CLASSES), ServedFormat())
    weights = random_weights(network)
    with tempfile.TemporaryDirectory() as folder:
        ours, network_alone = load_ours(network, weights, Path(folder))
        peer, peer_alone = load_peer(weights, Path(folder))
    rows = []
    for batch in BATCH_SIZES:
        files, pixels = pictures(batch)
        difference = float(np.abs(ours(files).numpy() - peer(files).numpy()).max())
        verdict.claim(f"batch {batch}, difference", difference, at_most=MAX_DIFFERENCE)
        repeats = (4 if args.quick else 15) if batch > 1 else (15 if args.quick else 60)
        for name, pair, values in (
            ("files", (ours, peer), files),
            ("pixels", (network_alone, peer_alone), pixels),
        ):
            (clock, cpu), (peer_clock, peer_cpu) = compare(pair, values, repeats)
            figures = (clock, peer_clock, peer_clock / clock, cpu, peer_cpu, peer_cpu / cpu)
            rows.append([str(batch), name, *(f"{figure:.2f}" for figure in figures)])
            if name == "files":
                verdict.claim(f"batch {batch}, ratio", peer_clock / clock, at_least=MIN_RATIO)
    head = ["batch", "input", "ours ms", "peer ms", "ratio", "ours CPU ms", "peer CPU ms", "ratio"]
    print_table(head, rows)
    verdict.exit()


def random_weights(network: Network) -> dict[str, np.ndarray]:
    """Weights by name with which no layer is an identity."""
    generator = np.random.default_rng(0)
    weights = initial_weights(network, seed=0)
    for name, value in weights.items():
        kind = name.split("/")[-1]
        if kind != "kernel":
            low, high = RANGES.get(kind, (-0.1, 0.1))
            weights[name] = generator.uniform(low, high, value.shape).astype(np.float32)
    weights["predictions/kernel"] = weights["predictions/kernel"] * HEAD_FACTOR
    return weights


def load_ours(network: Network, weights: dict[str, np.ndarray], folder: Path):
    """The exported model: from files (string [B]), and from pixels (uint8 [B, 224, 224, 3])."""
    tensors = {name: tf.constant(value) for name, value in weights.items()}
    folded = {name: value.numpy() for name, value in network.fold(tensors, tensors).items()}
    names = [str(number) for number in range(CLASSES)]
    export(ServedModel(network, folded, names, SIZE_PX), folder / "ours")
    loaded = tf.saved_model.load(str(folder / "ours"))
    serve = loaded.signatures["serving_default"]
    return (
        lambda files: serve(image_bytes=files)["probabilities"],
        lambda pixels: loaded.infer(pixels)[0],
    )


def load_peer(weights: dict[str, np.ndarray], folder: Path):
    """The Keras export: from files, and from pixels."""
    model = keras.applications.EfficientNetV2S(
        weights=None, classes=CLASSES, input_shape=(SIZE_PX, SIZE_PX, 3)
    )
    weights_io.to_keras(weights, model)
    model.export(str(folder / "peer"), verbose=False)
    loaded = tf.saved_model.load(str(folder / "peer"))

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string)])
    def from_files(files: tf.Tensor) -> tf.Tensor:
        pixels = tf.map_fn(
            # The transform that our decoder uses, so that the pixels are the same.
            lambda file: tf.io.decode_jpeg(file, 3, dct_method="INTEGER_ACCURATE"),
            files,
            fn_output_signature=tf.TensorSpec([None, None, 3], tf.uint8),
        )
        return loaded.serve(
            tf.ensure_shape(tf.cast(pixels, tf.float32), [None, SIZE_PX, SIZE_PX, 3])
        )

    # The resources of the loaded model must live as long as the function.
    from_files.loaded = loaded
    return from_files, lambda pixels: loaded.serve(tf.cast(pixels, tf.float32))


def pictures(count: int) -> tuple[tf.Tensor, tf.Tensor]:
    """JPEG files, string [count], and their pixels, uint8 [count, 224, 224, 3]."""
    rows, columns = np.mgrid[0:SIZE_PX, 0:SIZE_PX]
    files = []
    for number in range(count):
        waves = [np.sin(rows / (3 + number) + k) + np.cos(columns / (5 + number)) for k in range(3)]
        image = (np.stack(waves, -1) * 60 + 128).astype(np.uint8)
        files.append(tf.io.encode_jpeg(image, quality=90).numpy())
    pixels = [tf.io.decode_jpeg(file, 3, dct_method="INTEGER_ACCURATE") for file in files]
    return tf.constant(files), tf.stack(pixels)


def compare(
    functions: tuple[Callable, Callable], values: tf.Tensor, repeats: int
) -> list[tuple[float, float]]:
    """Median milliseconds of each, on the clock and of the processor, measured in turns."""
    for function in functions:
        function(values), function(values)
    taken: list[list[tuple[float, float]]] = [[], []]
    for _ in range(repeats):
        for place, function in zip(taken, functions, strict=True):
            clock, cpu = time.perf_counter(), time.process_time()
            function(values).numpy()
            place.append((time.perf_counter() - clock, time.process_time() - cpu))
    return [tuple(np.median(np.asarray(place), axis=0) * 1e3) for place in taken]


if __name__ == "__main__":
    main()
