"""The digest of the code that a component runs, which makes the cache see code changes.

TFX's cache key holds a component's inputs and parameters, not its code. Each of our components
has an exec property `code_digest` with this digest, so that an edit runs the node again. Only
own code is followed: the versions of installed packages are the business of the lock file.
"""

import ast
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

# The folder that holds the own top-level packages.
ROOT = Path(__file__).resolve().parent.parent
# A package is ours when it is one of these; anything else beside them is installed by others.
OWN_PACKAGES = frozenset(
    {"components", "kubeflow", "lineage", "pipeline", "preprocessing", "trainer_module"}
)


def code_digest(*packages: str, root: Path = ROOT) -> str:
    """Returns the digest of own modules and of every own module that they import.

    The source is parsed, never imported: a digest needs no TensorFlow. Imports inside functions
    count as well. Two checkouts with the same source have the same digest wherever they lie.

    Args:
      *packages: dotted names of own packages (all their modules count) or modules.
      root: folder with the own top-level packages.

    Returns:
      SHA-256 as 64 hexadecimal digits.

    Raises:
      ValueError: a name is no own package or module.
    """
    return _digest(root, tuple(sorted(set(packages))))


@functools.lru_cache(maxsize=64)
def _digest(root: Path, packages: tuple[str, ...]) -> str:
    waiting = [path for name in packages for path in _named_files(root, name)]
    sources: dict[Path, bytes] = {}
    while waiting:
        path = waiting.pop()
        if path not in sources:
            sources[path] = path.read_bytes()
            waiting.extend(_imported_files(root, path, sources[path]))
    digest = hashlib.sha256()
    for path in sorted(sources):
        name = path.relative_to(root).as_posix()
        digest.update(f"{name}\0{len(sources[path])}\0".encode())
        digest.update(sources[path])
    return digest.hexdigest()


def _named_files(root: Path, name: str) -> list[Path]:
    """The files of a named package, with its sub-packages, or of a module."""
    base = root.joinpath(*name.split("."))
    if base.is_dir():
        return [*sorted(base.rglob("*.py")), *_module_files(root, name)]
    files = list(_module_files(root, name))
    if base.with_suffix(".py") not in files:
        raise ValueError(f"code_digest takes own packages or modules. Received: {name!r}")
    return files


def _module_files(root: Path, name: str) -> Iterator[Path]:
    """The files that run when `name` is imported: its own, and those of the packages above."""
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        base = root.joinpath(*parts[:count])
        for path in (base / "__init__.py", base.with_suffix(".py")):
            if path.is_file():
                yield path


def _imported_files(root: Path, path: Path, source: bytes) -> Iterator[Path]:
    package = path.relative_to(root).parent.parts  # also that of an __init__.py
    for node in ast.walk(ast.parse(source, filename=str(path))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            # What is imported from a package may be one of its modules.
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.partition(".")[0] in OWN_PACKAGES:
                yield from _module_files(root, name)
