"""Holds the import direction: preprocessing, trainer_module <- components <- pipeline <- edges."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OWN = ("preprocessing", "trainer_module", "components", "pipeline", "lineage", "kubeflow")
EDGES = ("lineage", "kubeflow")
# Which own packages a package may import, besides itself.
ALLOWED = {
    "preprocessing": set(),
    "trainer_module": {"preprocessing"},
    "components": {"preprocessing", "trainer_module"},
    "pipeline": {"preprocessing", "trainer_module", "components"},
    **{package: set(OWN) for package in EDGES},
}
# What trainer_module may know of preprocessing.
SHARED_MODULES = {"preprocessing.features", "preprocessing.errors", "preprocessing.files"}
# The command line is an edge, and may use the others.
EDGE_FILES = ("pipeline/cli.py", "pipeline/commands/")


def imports(source: str, package: str) -> set[str]:
    """Dotted names that a module in `package` imports, also inside its functions."""
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


def violations(path: str, source: str) -> list[str]:
    """What a file of ours imports and must not."""
    package = path.split("/")[0]
    wrong = []
    for name in sorted(imports(source, ".".join(path.split("/")[:-1]))):
        top = name.split(".")[0]
        if top == "tfx" and package in ("preprocessing", "trainer_module"):
            wrong.append(name)
        if top not in OWN or top == package:
            continue
        allowed = ALLOWED[package] | (set(EDGES) if path.startswith(EDGE_FILES) else set())
        shared = any(f"{name}.".startswith(f"{module}.") for module in SHARED_MODULES)
        if top not in allowed or (package == "trainer_module" and not shared):
            wrong.append(name)
    if path == "preprocessing/features.py":
        wrong += sorted(imports(source, "preprocessing"))
    return wrong


def _files() -> list[str]:
    return [
        path.relative_to(ROOT).as_posix()
        for package in OWN
        for path in sorted((ROOT / package).rglob("*.py"))
    ]


@pytest.mark.parametrize("path", _files())
def test_direction(path):
    assert violations(path, (ROOT / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("preprocessing/x.py", "import trainer_module.network.model"),
        ("preprocessing/x.py", "def f():\n    from tfx import types"),
        ("trainer_module/x.py", "from preprocessing.images import image_ops"),
        ("trainer_module/x.py", "from preprocessing.stage.beam_stage import run"),
        ("components/a/x.py", "from pipeline.config import PipelineConfig"),
        ("components/a/x.py", "from ...pipeline import config"),
        ("pipeline/pipeline.py", "import kubeflow.compile"),
        ("preprocessing/features.py", "import os"),
    ],
)
def test_wrong_imports_are_seen(path, source):
    assert violations(path, source) != []
