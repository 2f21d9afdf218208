"""Whether this process is a rank of a job; needs neither TensorFlow nor Horovod."""

import os

# Set by horovodrun, Open MPI and MPICH.
_RANK_VARIABLES = ("HOROVOD_RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK")


def in_horovod_job() -> bool:
    """Whether `horovodrun` or `mpirun` started this process."""
    return any(name in os.environ for name in _RANK_VARIABLES)
