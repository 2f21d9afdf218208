"""Claim: an update sends the gradients once, however many micro-batches it has.

Ours: two Horovod processes take a step each with grad_accum_steps 1, 2 and 4, with and without
fp16 compression. The peer: Horovod's `DistributedGradientTape` around the same network, which
reduces after every backward pass, so k times for k micro-batches. What was sent is read from
Horovod's own timeline: the tensors that it reduced, their shapes and dtypes.
"""

import argparse
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import common

CLASSES, IMAGES, SIZE_PX = 1000, 8, 32
MICRO_BATCHES = (1, 2, 4)
BYTES = {"float16": 2, "float32": 4}
# Beside the gradients, BatchNorm's statistics and three numbers go along, never compressed.
PLAIN_BOUND, COMPRESSED_BOUND = 1.03, 0.53
_REDUCED = re.compile(r'"dtype": "(\w+)", "shape": "\[([\d, ]*)\]"')


def reduced_bytes(timeline: Path) -> int:
    """Bytes of all tensors that a timeline of Horovod says were reduced."""
    return sum(
        BYTES[dtype] * math.prod(int(side) for side in shape.split(",") if side.strip())
        for dtype, shape in _REDUCED.findall(timeline.read_text())
    )


def measure_here(folder: Path, width: float) -> None:
    """One rank: takes steps, with a timeline for each; rank 0 writes the gradients' bytes."""
    import horovod.tensorflow as hvd
    import numpy as np
    import tensorflow as tf

    from trainer_module import distributed
    from trainer_module.build import build, build_network
    from trainer_module.config import TrainConfig
    from trainer_module.network.initial_weights import initial_weights

    ranks = distributed.join(2, fp16_compression=False)
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, SIZE_PX, SIZE_PX, 3))
    images, targets = tf.constant(images.astype(np.uint8)), tf.one_hot(tf.range(IMAGES), CLASSES)
    network = build_network(TrainConfig(width_coefficient=width), CLASSES)
    weights = initial_weights(network, 0)

    def ours(k: int, compress: bool) -> None:
        config = TrainConfig(
            train_batch_size=IMAGES,
            grad_accum_steps=k,
            hvd_fp16_compression=compress,
            width_coefficient=width,
        )
        step = build(config, CLASSES, distributed.join(2, compress)).step
        step(images, targets, tf.constant(1e-3), tf.constant(0.0))

    @tf.function
    def peer(k: int) -> None:
        for part in range(k):
            rows = slice(part * IMAGES // k, (part + 1) * IMAGES // k)
            with hvd.DistributedGradientTape(tf.GradientTape()) as tape:
                named = {**network.kernels.split(kernels), **network.vectors.split(vectors)}
                logits, _ = network.train_logits(
                    named, images[rows], 0.0, 1.0, tf.constant([0, part])
                )
                loss = tf.nn.softmax_cross_entropy_with_logits(targets[rows], logits)
            gradients = tape.gradient(loss, [kernels, vectors])
            for variable, gradient in zip((kernels, vectors), gradients, strict=True):
                variable.assign_sub(1e-3 * gradient)

    kernels = tf.Variable(network.kernels.join_arrays(weights))
    vectors = tf.Variable(network.vectors.join_arrays(weights))
    for k in MICRO_BATCHES:
        _record(hvd, folder / f"plain-{k}.{ranks.rank}", lambda k=k: ours(k, False))
        _record(hvd, folder / f"fp16-{k}.{ranks.rank}", lambda k=k: ours(k, True))
        _record(hvd, folder / f"peer-{k}.{ranks.rank}", lambda k=k: peer(k))
    if ranks.rank == 0:
        size = BYTES["float32"] * (network.kernels.size + network.vectors.size)
        (folder / "gradients").write_text(json.dumps(size))


def _record(hvd, timeline: Path, action: Callable[[], None]) -> None:
    hvd.start_timeline(str(timeline))
    action()
    hvd.stop_timeline()


def measure(width: float) -> tuple[int, dict[str, list[int]]]:
    """The gradients' bytes, and those sent by side and number of micro-batches."""
    with tempfile.TemporaryDirectory() as name:
        launcher = [sys.executable, "-m", "horovod.runner.launch", "--gloo", "-np", "2"]
        script = [sys.executable, "-W", "ignore", __file__]
        subprocess.run(
            [*launcher, *script, "--folder", name, "--width", str(width)],
            check=True,
            capture_output=True,
            cwd=common.ROOT,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "HOROVOD_TIMELINE": "DYNAMIC"},
        )
        folder = Path(name)
        sent = {
            side: [reduced_bytes(folder / f"{side}-{k}.0") for k in MICRO_BATCHES]
            for side in ("plain", "fp16", "peer")
        }
        return json.loads((folder / "gradients").read_text()), sent


def main() -> None:
    """Measures and judges."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a network of a quarter of the width")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--width", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder:
        return measure_here(options.folder, options.width)
    common.print_machine()
    gradients, sent = measure(0.25 if options.quick else 1.0)
    common.print_table(
        ["micro-batches", "ours, bytes", "ours with fp16, bytes", "DistributedGradientTape, bytes"],
        [
            [str(k), *(f"{sent[side][row]:,}" for side in ("plain", "fp16", "peer"))]
            for row, k in enumerate(MICRO_BATCHES)
        ],
    )
    print(f"gradients: {gradients:,} bytes as float32")
    verdict = common.Verdict()
    for row, k in enumerate(MICRO_BATCHES):
        plain, compressed = sent["plain"][row], sent["fp16"][row]
        verdict.claim(
            f"{k} micro-batches: sent / gradients", plain / gradients, at_most=PLAIN_BOUND
        )
        verdict.claim(
            f"{k} micro-batches: sent with fp16 / gradients",
            compressed / gradients,
            at_most=COMPRESSED_BOUND,
        )
        verdict.claim(
            f"{k} micro-batches: sent / that of one", plain / sent["plain"][0], at_most=1.0
        )
        share = plain / sent["peer"][row]
        verdict.claim(f"{k} micro-batches: sent / peer", share, at_most=PLAIN_BOUND / k)
    return verdict.exit()


if __name__ == "__main__":
    main()
