"""What the own packages import, read from their source: nothing is imported for it."""

import ast
import functools
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("preprocessing", "trainer_module", "components", "pipeline", "lineage", "kubeflow")


def imported_names(source: str, package: str) -> set[str]:
    """Dotted names that a file in `package` imports: also inside functions, also for type hints."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


@functools.cache
def modules() -> dict[str, Path]:
    """The files of the own packages by their dotted names; a package stands for its __init__."""
    paths = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return {_name(path): path for path in paths}


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def folder(module: str) -> str:
    """The dotted name of the folder in which a module's file lies."""
    return ".".join(modules()[module].relative_to(ROOT).parts[:-1])


def module_of(name: str) -> str | None:
    """The own module that a dotted name means: itself, or the one that holds what it names."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        if ".".join(parts[:count]) in modules():
            return ".".join(parts[:count])
    return None


@functools.cache
def imports_of(module: str) -> frozenset[str]:
    """Dotted names that a module's file imports."""
    return frozenset(imported_names(modules()[module].read_text("utf-8"), folder(module)))


@functools.cache
def own_imports_of(module: str) -> frozenset[str]:
    """The own modules that a module's file imports, without itself."""
    found = {module_of(name) for name in imports_of(module)}
    return frozenset(found - {None, module})


def reachable(starts: Iterable[str]) -> dict[str, str]:
    """The own modules that run with some of them, each with the one that imports it."""
    found: dict[str, str] = {}
    waiting = [(start, start) for start in starts]
    while waiting:
        module, importer = waiting.pop()
        if module not in found:
            found[module] = importer
            waiting += [(name, module) for name in own_imports_of(module)]
    return found


def importers_of(libraries: Iterable[str], starts: Iterable[str]) -> Iterator[str]:
    """How modules come to a library: `module <- its importer <- ...: library`."""
    chains = reachable(starts)
    for module in sorted(chains):
        for name in sorted(imports_of(module)):
            if name.partition(".")[0] in libraries:
                chain = [module]
                while chains[chain[-1]] != chain[-1]:
                    chain.append(chains[chain[-1]])
                yield f"{' <- '.join(chain)}: {name}"


@functools.cache
def defined_names(module: str) -> frozenset[str]:
    """What a module's file defines at its top: functions, classes, variables, imported names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(modules()[module].read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return frozenset(found)
