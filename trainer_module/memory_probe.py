"""Takes one training step on made-up images of the largest stage, to see whether it fits.

Started by `memory_fit.py`, as a process of its own: `python -m trainer_module.memory_probe
MODEL_DIR`. Exit status: 0 it fits, 4 it does not (or the process was killed for it), 2 the data
cannot be used.
"""

import sys

import numpy as np
import tensorflow as tf

from preprocessing import features
from preprocessing.errors import InputError
from trainer_module import devices, distributed
from trainer_module.build import Built, build
from trainer_module.config import TrainConfig
from trainer_module.data import record_index
from trainer_module.job import memory_fit, processes, rank_config

# What a training needs beside a step: batches on their way, Horovod's and NCCL's buffers, logs.
HEADROOM_BYTES = 128 * 2**20
_FLOAT_BYTES = 4


def main(model_dir: str) -> int:
    """Tries the step with the settings in `model_dir`; returns the exit status."""
    try:
        config = rank_config.read(model_dir)
        class_names = record_index.class_names(config.data_dir, config.num_classes)
        ranks = distributed.SingleProcess()
        devices.set_up(config, ranks)
        take_step(config, len(class_names), ranks)
    except InputError as error:
        print(f"error: {error}")
        return processes.BAD_INPUT
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        print(f"out of memory: {error}")
        return memory_fit.TOO_LARGE
    return processes.DONE


def take_step(config: TrainConfig, num_classes: int, ranks: distributed.Ranks) -> Built:
    """Takes a step on grey images.

    Returns:
      what it was taken with.

    Raises:
      tf.errors.ResourceExhaustedError: memory is not enough.
    """
    built = build(config, num_classes, ranks)
    # All gradients lie in Horovod's fusion buffer once more, and once more when they come out.
    gradients = built.network.kernels.size + built.network.vectors.size
    headroom = HEADROOM_BYTES // _FLOAT_BYTES + 2 * gradients * (config.num_processes > 1)
    held = tf.zeros([headroom])
    side = memory_fit.largest_size_px(config)
    images = np.full((config.train_batch_size, side, side, features.CHANNELS), 128, np.uint8)
    targets = np.eye(num_classes, dtype=np.float32)[np.zeros(config.train_batch_size, int)]
    # The values are waited for: a GPU computes beside Python.
    zero = tf.constant(0.0)
    built.step(tf.constant(images), tf.constant(targets), zero, zero).numpy()
    del held
    return built


if __name__ == "__main__":
    processes.end_with_supervisor()
    sys.exit(main(sys.argv[1]))
