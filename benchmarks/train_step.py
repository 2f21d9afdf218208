"""Claim: a training step is 1.15 times as fast as under Keras, and starts in 0.6 of the time.

Ours: `make_train_step`, as `loop.py` calls it. The peer: `keras.applications.EfficientNetV2S`,
compiled with the same optimizer and loss, under Keras `fit`, without XLA (which on a CPU makes
it slower). Both: 1,000 classes, batch 32, float32, random weights, the same images in memory,
one float of metrics read after each step. Each measurement is a process of its own.

The time to the first step counts from building the model to the end of the first step; importing
TensorFlow and Keras is not in it.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator

import common
import numpy as np

BATCH, CLASSES = 32, 1000
STEPS_RATIO, FIRST_STEP_RATIO = 1.15, 0.6
LEARNING_RATE, MOMENTUM, DECAY, EPSILON = 1e-3, 0.9, 0.9, 1e-3
LABEL_SMOOTHING = 0.1


def batch(size_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [B, S, S, 3] and targets float32 [B, classes]."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (BATCH, size_px, size_px, 3)).astype(np.uint8)
    return images, np.eye(CLASSES, dtype=np.float32)[generator.integers(0, CLASSES, BATCH)]


def ours(size_px: int, steps: int) -> Iterator[None]:
    """Builds and trains; yields after each step."""
    import tensorflow as tf

    from trainer_module.build import build
    from trainer_module.distributed import SingleProcess

    images, targets = map(tf.constant, batch(size_px))
    config, ranks = our_config(), SingleProcess()
    step = build(config, CLASSES, ranks).step
    for _ in range(steps):
        step(images, targets, tf.constant(LEARNING_RATE), tf.constant(0.0)).numpy()
        yield


def our_config():
    """What Keras is given as well: no EMA, no weight decay."""
    from trainer_module.config import TrainConfig

    return TrainConfig(
        train_batch_size=BATCH,
        optimizer="rmsprop",
        momentum=MOMENTUM,
        decay=DECAY,
        opt_epsilon=EPSILON,
        weight_decay=0.0,
        moving_average_decay=0.0,
        label_smoothing=LABEL_SMOOTHING,
    )


def of_keras(size_px: int, steps: int) -> list[float]:
    """Builds and trains; the times at the end of each step."""
    import keras
    import tensorflow as tf

    class Clock(keras.callbacks.Callback):
        times: list[float] = []

        def on_train_batch_end(self, batch, logs=None):
            self.times.append(time.perf_counter())

    images, targets = batch(size_px)
    model = keras.applications.EfficientNetV2S(
        weights=None, input_shape=(size_px, size_px, 3), classes=CLASSES
    )
    model.compile(
        keras.optimizers.RMSprop(LEARNING_RATE, rho=DECAY, momentum=MOMENTUM, epsilon=EPSILON),
        keras.losses.CategoricalCrossentropy(label_smoothing=LABEL_SMOOTHING),
        metrics=["accuracy"],
        jit_compile=False,
    )
    dataset = tf.data.Dataset.from_tensors((images, targets)).repeat(steps)
    clock = Clock()
    model.fit(dataset, epochs=1, verbose=0, callbacks=[clock])
    return clock.times


def measure_here(side: str, size_px: int, steps: int) -> None:
    """Prints the seconds of the first step, and of a later one, as JSON."""
    import keras  # noqa: F401
    import tensorflow as tf

    if side == "ours":
        from trainer_module import devices
        from trainer_module.distributed import SingleProcess

        devices.set_up(our_config(), SingleProcess())
    tf.constant(0.0).numpy()  # the runtime starts up
    started = time.perf_counter()
    if side == "ours":
        times = [time.perf_counter() for _ in ours(size_px, steps)]
    else:
        times = of_keras(size_px, steps)
    later = statistics.median(np.diff(times[1:]))  # the second may still be slower
    print(json.dumps({"first": times[0] - started, "step": float(later)}))


def main() -> None:
    """Measures and judges."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="64 px only, once")
    parser.add_argument("--side", choices=["ours", "keras"], help=argparse.SUPPRESS)
    parser.add_argument("--size_px", type=int, default=64, help=argparse.SUPPRESS)
    parser.add_argument("--steps", type=int, default=22, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        return measure_here(options.side, options.size_px, options.steps)
    common.print_machine()
    verdict, table = common.Verdict(), []
    sizes, rounds, steps = ((64,), 1, 12) if options.quick else ((64, 128), 3, 22)
    for size_px in sizes:
        found: dict[str, list[dict[str, float]]] = {"keras": [], "ours": []}
        for _ in range(rounds):
            for side, results in found.items():
                flags = ["--side", side, "--size_px", str(size_px), "--steps", str(steps)]
                results.append(json.loads(common.run_script(__file__, *flags)))
        median = {
            (side, key): statistics.median(result[key] for result in results)
            for side, results in found.items()
            for key in ("first", "step")
        }
        for side in found:
            step, first = median[side, "step"], median[side, "first"]
            table.append([f"{size_px} px", side, f"{1 / step:.2f}", f"{first:.1f}"])
        faster = median["keras", "step"] / median["ours", "step"]
        sooner = median["ours", "first"] / median["keras", "first"]
        verdict.claim(f"{size_px} px: steps/s, ours / Keras", faster, at_least=STEPS_RATIO)
        verdict.claim(f"{size_px} px: first step, ours / Keras", sooner, at_most=FIRST_STEP_RATIO)
    common.print_table(["image", "side", "steps/s", "first step after, s"], table)
    return verdict.exit()


if __name__ == "__main__":
    main()
