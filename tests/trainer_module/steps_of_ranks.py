"""Steps that a rank of a Horovod job takes, for the tests of what ranks do together.

`horovodrun ... python steps_of_ranks.py FOLDER` takes all of them in one job, since starting one
costs more than its steps; each rank writes its results to `FOLDER/<name>.<rank>`.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from trainer_module import distributed
from trainer_module.build import Built, build
from trainer_module.config import TrainConfig

CLASSES = 5
# As horovodrun tells it.
RANKS = int(os.environ.get("HOROVOD_SIZE", "1"))
TINY = {"width_coefficient": 0.1, "depth_coefficient": 0.1}
# By name: settings of a step on 2 x 4 images.
STEPS = {
    "apart": {},
    "syncbn": {"batch_norm": "syncbn"},
    "compressed": {"hvd_fp16_compression": True, "grad_accum_steps": 1},
}
# Mixed precision, XLA and micro-batches: all three, and each pair of values of two of them. All
# eight are taken by one rank in test_train_step.py.
COMBINATIONS = [(True, True, 2), (True, False, 1), (False, True, 1), (False, False, 2)]
# Number of micro-batches, and whether gradients are compressed.
TIMELINES = [(1, False), (2, False), (4, False), (1, True), (4, True)]


def one_step(folder: Path, name: str) -> None:
    """How one step moved the weights, the statistics after it, and its metrics."""
    settings = STEPS[name]
    ranks = distributed.join(RANKS, settings.get("hvd_fp16_compression", False))
    images = np.random.default_rng(0).integers(0, 256, (8, 48, 48, 3)).astype(np.uint8)
    targets = tf.one_hot(np.arange(8) % CLASSES, CLASSES)
    size = 8 // ranks.size
    mine = slice(ranks.rank * size, (ranks.rank + 1) * size)
    config = TrainConfig(
        optimizer="sgd", momentum=0.0, weight_decay=0.0, dropout_rate=0.0, survival_prob=1.0,
        label_smoothing=0.0, moving_average_decay=0.0, bn_momentum=0.5, train_batch_size=size,
        **TINY, **settings,
    )  # fmt: skip
    built = build(config, CLASSES, ranks)
    before = _weights(built)
    metrics = _step(built, tf.constant(images[mine]), targets[mine], 0.1)
    result = {
        "moved": (_weights(built) - before).tolist(),
        "metrics": metrics.numpy().tolist(),
        "statistics": built.state.statistics.numpy().tolist(),
    }
    _write(folder, name, ranks.rank, result)


def combinations(folder: Path) -> None:
    """Losses and weights of six steps, for mixed precision, XLA and accumulation together."""
    ranks = distributed.join(RANKS, fp16_compression=False)
    generator = np.random.default_rng(ranks.rank)
    images = tf.constant(generator.integers(0, 256, (8, 32, 32, 3)).astype(np.uint8))
    targets = tf.one_hot(generator.integers(0, CLASSES, 8), CLASSES)
    results = {}
    for amp, xla, parts in COMBINATIONS:
        config = TrainConfig(
            optimizer="adam", momentum=0.9, decay=0.99, clip_norm=1.0, train_batch_size=8,
            dropout_rate=0.0, survival_prob=1.0, moving_average_decay=0.9,
            use_amp=amp, use_xla=xla, grad_accum_steps=parts, **TINY,
        )  # fmt: skip
        built = build(config, CLASSES, ranks)
        losses = [float(_step(built, images, targets, 0.05)[0]) for _ in range(6)]
        weights = [float(tf.reduce_sum(tf.abs(v))) for v in built.state.model_variables()]
        name = f"amp {amp}, xla {xla}, {parts} parts"
        results[name] = {"losses": losses, "weights": weights}
    _write(folder, "combinations", ranks.rank, results)


def timelines(folder: Path) -> None:
    """Horovod's timeline of one step for each of `TIMELINES`, and the sizes of the vectors."""
    import horovod.tensorflow as hvd

    for number, (parts, compress) in enumerate(TIMELINES):
        config = TrainConfig(
            train_batch_size=8, grad_accum_steps=parts, hvd_fp16_compression=compress,
            moving_average_decay=0.0, optimizer="sgd", **TINY,
        )  # fmt: skip
        ranks = distributed.join(RANKS, compress)
        built = build(config, CLASSES, ranks)
        hvd.start_timeline(f"{folder}/timeline-{number}.{ranks.rank}")
        targets = tf.one_hot(tf.range(8) % CLASSES, CLASSES)
        _step(built, tf.zeros([8, 32, 32, 3], tf.uint8), targets, 0.1)
        hvd.stop_timeline()
    network = built.network
    sizes = {
        "gradients": network.kernels.size + network.vectors.size,
        "statistics": network.statistics.size,
    }
    _write(folder, "sizes", ranks.rank, sizes)


def _step(built: Built, images: tf.Tensor, targets: tf.Tensor, rate: float) -> tf.Tensor:
    return built.step(images, targets, tf.constant(rate), tf.constant(0.0))


def _weights(built: Built) -> np.ndarray:
    return np.concatenate([parameter.value.numpy() for parameter in built.state.parameters])


def _write(folder: Path, name: str, rank: int, result: dict[str, Any]) -> None:
    (folder / f"{name}.{rank}").write_text(json.dumps(result))


def main(folder: Path) -> None:
    """All of them."""
    for name in STEPS:
        one_step(folder, name)
    combinations(folder)
    timelines(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
