"""A rank that joins a Horovod job, and no more: TensorFlow's library without its Python half."""

import ctypes
import importlib.util
from pathlib import Path

from horovod.common import process_sets
from horovod.common.basics import HorovodBasics

from trainer_module.job import host_name


def _file(package: str) -> Path:
    return Path(importlib.util.find_spec(package).origin)


def main() -> None:
    """Joins, and prints the rank, the number of ranks and the machine's name."""
    for name in ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2"):
        ctypes.CDLL(str(_file("tensorflow").with_name(name)), mode=ctypes.RTLD_GLOBAL)
    basics = HorovodBasics(str(_file("horovod").parent / "tensorflow" / "__init__.py"), "mpi_lib")
    process_sets._setup(basics)
    basics.init()
    print(f"rank {basics.rank()} of {basics.size()} on {host_name.own()}", flush=True)
    basics.shutdown()


if __name__ == "__main__":
    main()
