"""The versions of the installed packages that code imports, which the cache has to see as well."""

import functools
import importlib.metadata
import sys
from collections.abc import Iterable

# `google` is shared by dozens of packages, of which the code uses one.
_SHARED_NAMES = {"google": {"google.protobuf": "protobuf"}}


def versions(distributions: Iterable[str]) -> dict[str, str]:
    """The versions of installed packages by their names; what is not installed is `none`."""
    return {name: _version(name) for name in sorted(distributions)}


def imported_versions(names: Iterable[str]) -> dict[str, str]:
    """The versions of the packages that imports mean.

    Args:
      names: dotted names as import statements have them. The standard library's are left out.

    Returns:
      Version by package name, in order; packages that are not installed have `none`, since a
      package that is there at the next run changes what the code does.
    """
    found: set[str] = set()
    for name in names:
        top = name.partition(".")[0]
        if top in _SHARED_NAMES:
            shared = _SHARED_NAMES[top].items()
            found.update(package for prefix, package in shared if name.startswith(prefix))
        elif top and top not in sys.stdlib_module_names:
            found.update(_distributions().get(top, [top]))
    return versions(found)


@functools.cache
def _distributions() -> dict[str, list[str]]:
    return {
        name: sorted({package.lower() for package in packages})
        for name, packages in importlib.metadata.packages_distributions().items()
    }


@functools.cache
def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "none"
