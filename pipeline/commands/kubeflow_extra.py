"""What commands need of the extra `kubeflow`."""

import importlib.util

from preprocessing.errors import InputError


def need(package: str, by: str) -> None:
    """Makes sure that a package of the extra is installed.

    Args:
      package: its name.
      by: what needs it, as in "`effnet compile`".

    Raises:
      InputError: it is not.
    """
    if importlib.util.find_spec(package) is None:
        raise InputError(
            f"{by} needs the package {package}, which is not installed; install the extra "
            "`kubeflow`, as `make setup` does"
        )
