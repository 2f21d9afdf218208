"""The digest of the code that a component runs, which makes the cache see code changes.

TFX's cache key holds a component's inputs and parameters, not its code. Each of our components
has an exec property `code_digest` with this digest, so that an edit runs the node again. Only
own code is followed: the versions of installed packages are the business of the lock file.
"""

import ast
import dataclasses
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


@dataclasses.dataclass(frozen=True)
class Code:
    """What a digest stands for.

    Attributes:
      files: SHA-256 of each file by its path below the root.
      foreign_imports: dotted names of what the files import and is not ours.
    """

    files: dict[str, str]
    foreign_imports: frozenset[str]


# By digest. Only what this process computed is known.
_computed: dict[str, Code] = {}


def code_of(digest: str) -> Code:
    """Returns what a digest stands for that `code_digest` gave in this process.

    Raises:
      KeyError: the digest is not from this process.
    """
    return _computed[digest]


@functools.lru_cache(maxsize=64)
def _digest(root: Path, packages: tuple[str, ...]) -> str:
    waiting = [path for name in packages for path in _named_files(root, name)]
    sources: dict[Path, bytes] = {}
    foreign: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path in sources:
            continue
        sources[path] = path.read_bytes()
        for name in _imported_names(root, path, sources[path]):
            if name.partition(".")[0] in OWN_PACKAGES:
                waiting.extend(_module_files(root, name))
            else:
                foreign.add(name)
    digest = hashlib.sha256()
    files = {}
    for path in sorted(sources):
        name = path.relative_to(root).as_posix()
        digest.update(f"{name}\0{len(sources[path])}\0".encode())
        digest.update(sources[path])
        files[name] = hashlib.sha256(sources[path]).hexdigest()
    _computed[digest.hexdigest()] = Code(files, frozenset(foreign))
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


def _imported_names(root: Path, path: Path, source: bytes) -> Iterator[str]:
    package = path.relative_to(root).parent.parts  # also that of an __init__.py
    for node in ast.walk(ast.parse(source, filename=str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            # What is imported from a package may be one of its modules.
            yield from (f"{base}.{alias.name}" for alias in node.names)
