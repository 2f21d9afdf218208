"""Whether this process is a rank of a job, and which; needs neither TensorFlow nor Horovod."""

import os
from collections.abc import Mapping
from typing import NamedTuple

from preprocessing.errors import InputError

# The variables with a process's number and their number: of horovodrun, Open MPI and MPICH. A rank
# under horovodrun has those of the launcher around horovodrun as well.
_LAUNCHERS = (
    ("HOROVOD_RANK", "HOROVOD_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
)
# What tells a process which rank of a job it is, and no settings of Horovod, Open MPI or Slurm.
_HOROVOD_VARIABLES = tuple(
    f"HOROVOD_{name}"
    for name in (
        *("RANK", "SIZE", "LOCAL_RANK", "LOCAL_SIZE", "CROSS_RANK", "CROSS_SIZE", "HOSTNAME"),
        *("GLOO_RENDEZVOUS_ADDR", "GLOO_RENDEZVOUS_PORT", "CONTROLLER", "CPU_OPERATIONS"),
    )
)
_OTHER_VARIABLES = (
    *("OMPI_", "PMIX_", "PMI_", "PRTE_", "HYDRA_", "HYDI_", "MPI_LOCAL", "MV2_COMM_WORLD_"),
    *("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID"),
)


class LaunchedRank(NamedTuple):
    """A process that a launcher started as a rank of a job.

    Attributes:
      rank: its number.
      size: the number of processes.
      variable: the environment variable that has the number.
    """

    rank: int
    size: int
    variable: str


def launched(num_processes: int) -> LaunchedRank | None:
    """Which rank of a job this process is, where a person used a launcher; None where it is none.

    A job of a single process is none: so looks a notebook that was started under MPI, and a shell
    of Slurm, and there the ranks are started as elsewhere.

    Args:
      num_processes: how many ranks are asked for.

    Raises:
      InputError: the launcher started another number of processes, or its variables are no
        numbers.
    """
    found = _launched_rank()
    if found is None or found.size == 1:
        return None
    if found.size != num_processes:
        raise InputError(
            f"num_processes must be the number of processes that the launcher has started, "
            f"{found.size}. Received: {num_processes}; set it to {found.size}, or unset "
            f"{found.variable} where this is no rank of that job"
        )
    return found


def rank() -> int:
    """This process's number in its job; 0 where there is none.

    Raises:
      InputError: a launcher's variable is no number.
    """
    found = _launched_rank()
    return found.rank if found else 0


def without_launcher_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without any launcher's variables, for processes that are not of its job."""
    return {
        name: value
        for name, value in environment.items()
        if name not in _HOROVOD_VARIABLES and not name.startswith(_OTHER_VARIABLES)
    }


def _launched_rank() -> LaunchedRank | None:
    for rank_variable, size_variable in _LAUNCHERS:
        if rank_variable in os.environ:
            size = _number(size_variable, 1) if size_variable in os.environ else 1
            return LaunchedRank(_number(rank_variable, 0), size, rank_variable)
    return None


def _number(variable: str, least: int) -> int:
    text = os.environ[variable]
    if not (text.isascii() and text.isdigit() and int(text) >= least):
        raise InputError(
            f"{variable} must be a whole number, {least} or more, as a launcher of ranks sets it. "
            f"Received: {text!r}; unset it where this is no rank of a job"
        )
    return int(text)
