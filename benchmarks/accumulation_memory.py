"""Claim: a step's peak memory does not grow with the number of micro-batches.

Ours: a step of EfficientNetV2-S on k micro-batches of 16 images at 64 px, for k = 1, 2, 4, 8. The
peer: a step on the same 16 * k images at once. The measurement is the peak resident memory of a
process of its own, less that of the same process before it built the step.

From k = 1 to 2 memory grows once, by the sum of the gradients; from there on only by the images.
"""

import argparse
import json
import resource

import common
import numpy as np

MICRO_BATCH, SIZE_PX, CLASSES, STEPS = 16, 64, 1000, 3
# Of k = 8 over k = 2 (the allocator's noise), and over all images at once.
GROWTH_BOUND, PEER_BOUND = 1.05, 0.6


def peak_bytes() -> int:
    """The largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure_here(batch: int, micro_batches: int) -> None:
    """Prints the bytes that some steps took, and those of their input, as JSON."""
    import tensorflow as tf

    from trainer_module import devices
    from trainer_module.build import build
    from trainer_module.config import TrainConfig
    from trainer_module.distributed import SingleProcess

    config = TrainConfig(train_batch_size=batch, grad_accum_steps=micro_batches)
    ranks = SingleProcess()
    devices.set_up(config, ranks)
    before = peak_bytes()
    step = build(config, CLASSES, ranks).step
    images = np.random.default_rng(0).integers(0, 256, (batch, SIZE_PX, SIZE_PX, 3))
    images = tf.constant(images.astype(np.uint8))
    targets = tf.one_hot(tf.range(batch), CLASSES)
    for _ in range(STEPS):
        step(images, targets, tf.constant(1e-3), tf.constant(0.0)).numpy()
    taken = images.numpy().nbytes + targets.numpy().nbytes
    print(json.dumps({"peak": peak_bytes() - before, "input": taken}))


def measure(batch: int, micro_batches: int) -> dict[str, int]:
    """What `measure_here` prints, from a process of its own."""
    flags = ["--batch", str(batch), "--micro_batches", str(micro_batches)]
    return json.loads(common.run_script(__file__, *flags))


def main() -> None:
    """Measures and judges."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="k = 2 and 4 only")
    parser.add_argument("--batch", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--micro_batches", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.batch:
        return measure_here(options.batch, options.micro_batches)
    common.print_machine()
    verdict, numbers = common.Verdict(), (2, 4) if options.quick else (1, 2, 4, 8)
    ours = {k: measure(MICRO_BATCH * k, k) for k in numbers}
    peer = {k: measure(MICRO_BATCH * k, 1) for k in numbers}
    common.print_table(
        ["micro-batches", "peak, MiB", "all at once, MiB", "images and targets, MiB"],
        [
            [
                str(k),
                *(
                    f"{value / 2**20:,.1f}"
                    for value in (ours[k]["peak"], peer[k]["peak"], ours[k]["input"])
                ),
            ]
            for k in numbers
        ],
    )
    last = numbers[-1]
    beyond_input = {k: ours[k]["peak"] - ours[k]["input"] for k in numbers}
    growth = beyond_input[last] / beyond_input[2]
    verdict.claim(f"peak without the input, k = {last} / k = 2", growth, at_most=GROWTH_BOUND)
    share = ours[last]["peak"] / peer[last]["peak"]
    if last == 8:
        verdict.claim("peak of k = 8 / all images at once", share, at_most=PEER_BOUND)
    return verdict.exit()


if __name__ == "__main__":
    main()
