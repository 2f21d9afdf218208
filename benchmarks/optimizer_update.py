"""An update of all weights of EfficientNetV2-S: fused kernels on flat vectors against Keras.

Ours: `trainer_module/optimizers.py` on the vector of kernels. The peer: the same optimizer of
Keras 3 on the same weights, each tensor a variable, as a Keras model has them.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import common
import numpy as np

CLASSES = 1000
LEARNING_RATE = 1e-3
# Times as many updates a second.
RATIO = 1.15


def update_secs(update: Callable[[], object], repeats: int) -> list[float]:
    """The seconds of each update after the first, which traces."""
    update()
    times = [time.perf_counter()]
    for _ in range(repeats):
        update()
        times.append(time.perf_counter())
    return list(np.diff(times))


def sides(optimizer: str) -> dict[str, Callable[[], object]]:
    """Both sides of the comparison, ready to be called."""
    import keras
    import tensorflow as tf

    from trainer_module import optimizers
    from trainer_module.build import build_network
    from trainer_module.config import TrainConfig

    config = TrainConfig(optimizer=optimizer, weight_decay=0.0)
    layout = build_network(config, CLASSES).kernels
    gradient = tf.random.normal([layout.size])
    slots = [tf.Variable(tf.zeros([layout.size])) for _ in range(optimizers.num_slots(config))]
    value = tf.Variable(tf.random.normal([layout.size]))
    parameter = optimizers.Parameter(value, tuple(slots), layout, False)
    rule = optimizers.make_update(config)

    @tf.function(autograph=False)
    def ours() -> None:
        rule(parameter, gradient, tf.constant(LEARNING_RATE), tf.constant(1))

    gradients = list(layout.split(gradient).values())
    variables = [keras.Variable(np.zeros(part.shape, np.float32)) for part in gradients]
    common_settings = {"learning_rate": LEARNING_RATE, "epsilon": config.opt_epsilon}
    moments = {"beta_1": config.momentum, "beta_2": config.decay}
    of_keras = {
        "rmsprop": lambda: keras.optimizers.RMSprop(
            rho=config.decay, momentum=config.momentum, **common_settings
        ),
        "adamw": lambda: keras.optimizers.AdamW(weight_decay=0.0, **moments, **common_settings),
    }[optimizer]()
    of_keras.build(variables)

    @tf.function(autograph=False)
    def peer() -> None:
        of_keras.apply(gradients, variables)

    return {"ours": ours, "keras": peer}


def main() -> None:
    """Measures and judges."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer updates")
    options = parser.parse_args()
    common.print_machine()
    verdict, table = common.Verdict(), []
    for optimizer in ("rmsprop", "adamw"):
        both = sides(optimizer)
        measures = [
            lambda update=update: statistics.median(update_secs(update, 5 if options.quick else 20))
            for update in both.values()
        ]
        (own, peer), _ = common.alternate(measures, 1 if options.quick else 5)
        table.append([optimizer, f"{own * 1e3:.1f}", f"{peer * 1e3:.1f}"])
        verdict.claim(f"{optimizer}: updates/s, ours / Keras", peer / own, at_least=RATIO)
    common.print_table(["optimizer", "ours, ms", "Keras, ms"], table)
    return verdict.exit()


if __name__ == "__main__":
    main()
