"""All that ranks do together. The only file that knows Horovod.

A training of one process runs without Horovod; one that `horovodrun` started finds its rank in
the environment.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import tensorflow as tf

from trainer_module.job.rank_env import in_horovod_job


class Ranks(Protocol):
    """The processes of a training and this one's place among them."""

    rank: int
    size: int
    local_rank: int
    local_size: int

    def mean(
        self, gradients: Sequence[tf.Tensor], rest: tf.Tensor
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """The mean over ranks of all tensors, inside a `tf.function`; one allreduce an update.

        Only `gradients` may be compressed on their way; `rest` crosses the network as float32.
        """

    def mean_tensor(self, value: tf.Tensor) -> tf.Tensor:
        """The mean over ranks of one float32 tensor; differentiable, inside a `tf.function`."""

    def broadcast(self, variables: Sequence[tf.Variable]) -> None:
        """Gives every rank the values of rank 0."""

    def sum(self, values: np.ndarray) -> np.ndarray:
        """The sum over ranks of float64 or int64 values."""

    def gather(self, text: str) -> list[str]:
        """The texts of all ranks, which have the same length, in order of rank."""

    def describe(self) -> str:
        """How many processes there are, and what they talk through."""


class SingleProcess:
    """A training of one process: there is nobody to talk to."""

    rank = 0
    size = 1
    local_rank = 0
    local_size = 1

    def mean(self, gradients, rest):
        """See `Ranks`."""
        return list(gradients), rest

    def mean_tensor(self, value):
        """See `Ranks`."""
        return value

    def broadcast(self, variables):
        """See `Ranks`."""

    def sum(self, values):
        """See `Ranks`."""
        return values

    def gather(self, text):
        """See `Ranks`."""
        return [text]

    def describe(self):
        """See `Ranks`."""
        return "1 process"


class HorovodRanks:
    """The ranks of a Horovod job, whatever it was built with (Gloo, MPI, NCCL)."""

    def __init__(self, fp16_compression: bool):
        """Joins the job.

        Args:
          fp16_compression: gradients cross the network as float16.
        """
        import horovod.tensorflow as hvd

        hvd.init()
        self._hvd = hvd
        self._fp16 = fp16_compression
        self.rank, self.size = hvd.rank(), hvd.size()
        self.local_rank, self.local_size = hvd.local_rank(), hvd.local_size()

    def mean(self, gradients, rest):
        """See `Ranks`."""
        average = self._hvd.Average
        if not self._fp16:
            *reduced, rest = self._hvd.grouped_allreduce([*gradients, rest], op=average)
            return reduced, rest
        # A group has one dtype, so what is not compressed goes by itself.
        halves = [tf.cast(gradient, tf.float16) for gradient in gradients]
        reduced = self._hvd.grouped_allreduce(halves, op=average)
        rest = self._hvd.allreduce(rest, op=average)
        return [tf.cast(gradient, tf.float32) for gradient in reduced], rest

    def mean_tensor(self, value):
        """See `Ranks`."""
        return self._hvd.allreduce(value, op=self._hvd.Average)

    def broadcast(self, variables):
        """See `Ranks`."""
        self._hvd.broadcast_variables(variables, root_rank=0)

    def sum(self, values):
        """See `Ranks`."""
        return self._hvd.allreduce(tf.constant(values), op=self._hvd.Sum).numpy()

    def gather(self, text):
        """See `Ranks`."""
        row = tf.constant(np.frombuffer(text.encode(), np.uint8))[None]
        rows = self._hvd.allgather(row).numpy()
        return [bytes(row).decode() for row in rows]

    def describe(self):
        """See `Ranks`."""
        built = {"NCCL": "nccl_built", "MPI": "mpi_enabled", "Gloo": "gloo_enabled"}
        parts = [name for name, test in built.items() if getattr(self._hvd, test)()]
        return f"{self.size} processes (Horovod with {', '.join(parts)})"


def join(fp16_compression: bool) -> Ranks:
    """This process's place: in a Horovod job if one started it, else alone."""
    return HorovodRanks(fp16_compression) if in_horovod_job() else SingleProcess()
