"""The digest of the code that a component runs, which makes the cache see code changes.

TFX's cache key holds a component's inputs and parameters, not its code. Each of our components
has an exec property `code_digest` with this digest, so that an edit runs the node again; and a
training writes down which steps ran under which. Only own code is followed: the versions of
installed packages are the business of the lock file.

What counts is the syntax tree, without comments, docstrings and formatting. Where a module lies
does not count either: an import of an own module stands for what is in that module, not for its
name. So a digest is the same after modules were moved and the imports adapted.
"""

import ast
import dataclasses
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# The folder that holds the own top-level packages.
ROOT = Path(__file__).resolve().parents[2]
# A package is ours when it is one of these; anything else beside them is installed by others.
OWN_PACKAGES = frozenset(
    {"components", "kubeflow", "lineage", "pipeline", "preprocessing", "trainer_module"}
)
# Fields of the syntax tree that say nothing of what runs.
_IGNORED_FIELDS = frozenset({"ctx", "kind", "type_comment", "type_ignores"})


def code_digest(*packages: str, root: Path = ROOT) -> str:
    """Returns the digest of own modules and of every own module that they import.

    The source is parsed, never imported: a digest needs no TensorFlow. Imports inside functions
    count as well.

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
      files: by its path below the root, for each file the SHA-256 of its syntax tree, in which own
        modules are imported without their names.
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
    modules: dict[Path, _Module] = {}
    while waiting:
        path = waiting.pop()
        if path not in modules:
            modules[path] = _module(root, path)
            waiting.extend(modules[path].runs)
    # With what is in the modules that it imports, so that it counts which of them it imports.
    linked = sorted(
        _sha256([module.digest, *(modules[file].digest for file in module.imports)])
        for module in modules.values()
        if not module.is_empty  # as a package's __init__.py, wherever it lies
    )
    digest = _sha256(linked)
    files = {path.relative_to(root).as_posix(): modules[path].digest for path in sorted(modules)}
    foreign = frozenset(name for module in modules.values() for name in module.foreign)
    _computed[digest] = Code(files, foreign)
    return digest


@functools.cache
def _module(root: Path, path: Path) -> "_Module":
    return _Module(root, path)


class _Module:
    """A file.

    Attributes:
      digest: of its syntax tree, in which own modules are imported without their names.
      imports: the files of those modules, in the order of the imports.
      runs: all own files that run when it is imported.
      foreign: dotted names of what it imports and is not ours.
      is_empty: whether it does nothing.
    """

    def __init__(self, root: Path, path: Path):
        self.imports: list[Path] = []
        self.runs: set[Path] = set()
        self.foreign: set[str] = set()
        self._root = root
        self._package = path.relative_to(root).parent.parts  # also that of an __init__.py
        tree = self._canonical(ast.parse(path.read_bytes(), filename=str(path)))
        self.is_empty = tree == ("Module", [])
        self.digest = _sha256(tree)

    def _canonical(self, value: Any) -> Any:
        """A node, a list of nodes or a constant as nested tuples."""
        if isinstance(value, list):
            return [self._canonical(item) for item in value if not _is_text(item)]
        if isinstance(value, ast.Import | ast.ImportFrom):
            return self._import(value)
        if not isinstance(value, ast.AST):
            return type(value).__name__, repr(value)
        # Versions of Python differ in what they leave empty: fields of a newer syntax that nobody
        # used, and parts of format strings.
        if isinstance(value, ast.JoinedStr):
            value.values = [part for part in value.values if getattr(part, "value", None) != ""]
        fields = [
            (name, part)
            for name in value._fields
            if name not in _IGNORED_FIELDS
            and (found := getattr(value, name, None)) is not None
            and (part := self._canonical(found)) != []
        ]
        return type(value).__name__, fields

    def _import(self, node: ast.Import | ast.ImportFrom) -> Any:
        """An import without the names of own modules, which are noted."""
        base = None if isinstance(node, ast.Import) else self._base(node)
        names = []
        for alias in node.names:
            module = alias.name if base is None else base
            # What is imported from a package may be one of its modules.
            if base is not None and _own_file(self._root, f"{base}.{alias.name}"):
                module = f"{base}.{alias.name}"
            file = _own_file(self._root, module)
            if file is not None:
                self.imports.append(file)
                self.runs.update(_module_files(self._root, module))
            elif module.partition(".")[0] not in OWN_PACKAGES:
                self.foreign.update({module, f"{module}.{alias.name}"} if base else {module})
            imported = "" if base is None else alias.name
            names.append(("" if file else module, imported, alias.asname or alias.name))
        return type(node).__name__, names

    def _base(self, node: ast.ImportFrom) -> str:
        """The absolute name of what an import statement imports from."""
        above = self._package[: len(self._package) - node.level + 1] if node.level else ()
        return ".".join([*above, *([node.module] if node.module else [])])


def _is_text(item: Any) -> bool:
    """Whether it is a string that stands alone: a docstring, or one below an attribute."""
    return (
        isinstance(item, ast.Expr)
        and isinstance(item.value, ast.Constant)
        and isinstance(item.value.value, str)
    )


@functools.cache
def _own_file(root: Path, name: str) -> Path | None:
    """The file of an own module or package, None where there is none."""
    if name.partition(".")[0] not in OWN_PACKAGES:
        return None
    base = root.joinpath(*name.split("."))
    found = [path for path in (base / "__init__.py", base.with_suffix(".py")) if path.is_file()]
    return found[0] if found else None


def _sha256(canonical: Any) -> str:
    return hashlib.sha256(repr(canonical).encode()).hexdigest()


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
        file = _own_file(root, ".".join(parts[:count]))
        if file is not None:
            yield file
