"""Sets TensorFlow up for this process's share of the machine."""

import os
import resource

import tensorflow as tf

from trainer_module.config import TrainConfig
from trainer_module.distributed import Ranks
from trainer_module.network.tensor_format import CHANNELS_FIRST, CHANNELS_LAST
from trainer_module.train_step import compute_dtype


def set_up(config: TrainConfig, ranks: Ranks) -> None:
    """One GPU a rank, or its share of the CPU cores. Call before TensorFlow computes anything."""
    gpus = tf.config.list_physical_devices("GPU")
    tf.config.experimental.enable_tensor_float_32_execution(config.use_tf32)
    if gpus:
        gpu = gpus[ranks.local_rank % len(gpus)]
        tf.config.set_visible_devices(gpu, "GPU")
        if config.memory_limit_mb:
            limit = tf.config.LogicalDeviceConfiguration(memory_limit=config.memory_limit_mb)
            tf.config.set_logical_device_configuration(gpu, [limit])
        else:
            tf.config.experimental.set_memory_growth(gpu, True)
    else:
        threads = max(1, available_cores() // ranks.local_size)
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        # On a CPU this costs nothing measurable, and equal seeds then give equal weights.
        tf.config.experimental.enable_op_determinism()
        if config.memory_limit_mb:
            limit = config.memory_limit_mb * 2**20
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    tf.random.set_seed(config.seed)


def available_cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def data_format(config: TrainConfig) -> str:
    """What `config.data_format` means on this machine."""
    if config.data_format != "auto":
        return config.data_format
    plain_float32 = not (config.use_amp or config.use_tf32)
    return CHANNELS_FIRST if plain_float32 and _has_gpu() else CHANNELS_LAST


def _has_gpu() -> bool:
    return bool(tf.config.list_logical_devices("GPU"))


def describe(config: TrainConfig) -> str:
    """What computes, in which precision."""
    gpus = tf.config.list_logical_devices("GPU")
    device = f"{len(gpus)} GPU" if gpus else "CPU"
    xla = ", XLA" if config.use_xla else ""
    return f"{device}, {compute_dtype(config).name}{xla}"
