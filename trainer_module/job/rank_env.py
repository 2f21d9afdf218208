"""Whether this process is a rank of a job, and which; needs neither TensorFlow nor Horovod."""

import os

# Set by horovodrun, Open MPI and MPICH.
_RANK_VARIABLES = ("HOROVOD_RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK")


def in_horovod_job() -> bool:
    """Whether `horovodrun` or `mpirun` started this process."""
    return any(name in os.environ for name in _RANK_VARIABLES)


def rank() -> int:
    """This process's number in its job; 0 where there is none."""
    numbers = [int(os.environ[name]) for name in _RANK_VARIABLES if name in os.environ]
    return numbers[0] if numbers else 0
