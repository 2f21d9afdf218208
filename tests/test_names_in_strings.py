"""Names of own code that stand in strings, where a move of a file would not be noticed."""

import ast
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator

import own_code
import pytest

from pipeline.config import PipelineConfig

OTHER_CODE = ("tests", "benchmarks", "tools")
# These make up packages, to look at how imports are followed.
MADE_UP = {
    "tests/preprocessing/files/test_code_digest.py",
    "tests/pipeline/cache/test_decide.py",
    "tests/pipeline/cache/test_key_inputs.py",
    "tests/small_dag.py",
    "tests/test_import_direction.py",
    "tests/test_names_in_strings.py",
}
# Names in ML Metadata that look like those of code and are none.
STORED = {"pipeline.bless.GateOverride"}
# Not the names of files that are called like a package, as preprocessing.log is, nor kubeflow.org.
DOTTED = re.compile(
    rf"({'|'.join(own_code.PACKAGES)})(\.\w+)+(?<!\.log)(?<!\.yaml)(?<!\.json)(?<!\.py)"
    r"(?<!kubeflow\.org)"
)


def files() -> list[str]:
    """All Python files of the project, by their paths."""
    folders = (*own_code.PACKAGES, *OTHER_CODE)
    paths = (path for folder in folders for path in (own_code.ROOT / folder).rglob("*.py"))
    names = {path.relative_to(own_code.ROOT).as_posix() for path in paths}
    return sorted(names - MADE_UP)


def is_there(name: str) -> bool:
    """Whether a dotted name is that of a module, or of what a module defines."""
    module = own_code.module_of(name)
    if module is None or name == module:
        return name == module
    attribute = name.removeprefix(f"{module}.").partition(".")[0]
    return attribute in own_code.defined_names(module)


def is_config_key(name: str) -> bool:
    """Whether a dotted name is that of a setting: two sections are named like packages."""
    section, _, key = name.partition(".")
    field = PipelineConfig.model_fields.get(section)
    return field is not None and key in field.annotation.model_fields


def programs(tree: ast.AST) -> Iterator[str]:
    """Strings that are programs with imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                if "import " in node.value:
                    ast.parse(node.value)
                    yield node.value
            except SyntaxError:
                continue


def unknown_names(path: str) -> list[str]:
    """Own names in a file, or in a program in one of its strings, that are not there."""
    source = (own_code.ROOT / path).read_text("utf-8")
    tree = ast.parse(source)
    package = ".".join(path.split("/")[:-1])
    names = own_code.imported_names(source, package)
    for program in programs(tree):
        names |= own_code.imported_names(program, "")
    imported = {name for name in names if name.partition(".")[0] in own_code.PACKAGES}
    strings = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    mentioned = {value for value in strings - STORED if DOTTED.fullmatch(value)}
    return sorted(
        {name for name in imported if not is_there(name)}
        | {name for name in mentioned if not is_there(name) and not is_config_key(name)}
    )


@pytest.mark.parametrize("path", files())
def test_names_are_those_of_code(path):
    assert unknown_names(path) == []


def test_modules_that_documents_start_are_there():
    documents = [*own_code.ROOT.glob("*.md"), *own_code.ROOT.glob("docs/*.md")]
    started = [
        name
        for path in [*documents, own_code.ROOT / "Makefile"]
        for name in re.findall(r"python3? -m ([\w.]+)", path.read_text("utf-8"))
        if name.partition(".")[0] in own_code.PACKAGES
    ]
    assert started
    assert [name for name in started if not is_there(name)] == []


def test_a_wheel_has_every_file_of_the_packages(tmp_path):
    build = ["egg_info", "--egg-base", tmp_path, "build", "--build-base", tmp_path / "build"]
    build += ["bdist_wheel", "--dist-dir", tmp_path / "dist"]
    command = [sys.executable, "setup.py", "-q", *map(str, build)]
    subprocess.run(command, cwd=own_code.ROOT, check=True, capture_output=True, timeout=120)
    [wheel] = (tmp_path / "dist").glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "ls-files", *own_code.PACKAGES],
        cwd=own_code.ROOT, check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    there = {name for name in tracked if (own_code.ROOT / name).exists()}
    assert len(there) > 100
    assert there - packed == set()
