"""All that ranks do together. The only file that knows Horovod.

A training of one process runs without Horovod. The ranks of a larger one find their numbers in the
environment, where `horovodrun` or another launcher puts them.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import tensorflow as tf

from preprocessing.errors import InputError


class Ranks(Protocol):
    """The processes of a training and which of them this one is."""

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


def join(num_processes: int, fp16_compression: bool) -> Ranks:
    """Joins the training; what this process knows of the others from then on.

    Args:
      num_processes: the ranks that are asked for; several must be those of one Horovod job.
      fp16_compression: gradients cross the network as float16.

    Raises:
      InputError: Horovod finds another number of ranks.
    """
    if num_processes == 1:
        return SingleProcess()
    ranks = HorovodRanks(fp16_compression)
    if ranks.size != num_processes:
        raise InputError(
            f"num_processes ranks must train together. Received: {num_processes}, of which Horovod "
            f"finds {ranks.size}: it cannot talk through the launcher that started them. Leave "
            "the launcher out, or start them with horovodrun; `horovodrun --check-build` says what "
            "Horovod was built with"
        )
    return ranks
