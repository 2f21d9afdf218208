"""What gradient accumulation is for: images of a step may be many, and memory stays."""

import re
from pathlib import Path

import fresh_process
import pytest
import tensorflow as tf

from trainer_module import devices
from trainer_module.build import build
from trainer_module.config import TrainConfig
from trainer_module.distributed import SingleProcess

MICRO_BATCH = 32


def peak() -> int:
    """The most bytes that this process has had; `getrusage` would begin with its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


def take_steps(batch: int, micro_batches: int) -> None:
    """Prints by how many bytes the process grew, at its largest, by taking steps."""
    config = TrainConfig(
        train_batch_size=batch,
        grad_accum_steps=micro_batches,
        width_coefficient=0.2,
        depth_coefficient=0.1,
    )
    devices.set_up(config, SingleProcess())
    step = build(config, 5, SingleProcess()).step
    images = tf.zeros([batch, 96, 96, 3], tf.uint8)
    targets = tf.one_hot(tf.range(batch) % 5, 5)
    before = peak()
    for _ in range(3):
        step(images, targets, tf.constant(1e-3), tf.constant(0.0))
    print(peak() - before)


def growth(batch: int, micro_batches: int) -> int:
    done = fresh_process.run(take_steps, batch, micro_batches)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.fixture(scope="module")
def two_micro_batches() -> int:
    return growth(2 * MICRO_BATCH, 2)


def test_memory_does_not_grow_with_the_number_of_micro_batches(two_micro_batches):
    # The images themselves, 28 kB each, are there anyway.
    images = 6 * MICRO_BATCH * 96 * 96 * 3
    assert growth(8 * MICRO_BATCH, 8) < 1.15 * two_micro_batches + images


def test_the_same_images_at_once_take_more(two_micro_batches):
    assert growth(8 * MICRO_BATCH, 1) > 2 * two_micro_batches
