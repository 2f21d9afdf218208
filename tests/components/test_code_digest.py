"""The digest follows own imports and nothing else."""

import hashlib

import pytest

from components.code_digest import code_digest, code_of

FILES = {
    "components/__init__.py": "",
    "components/worker/__init__.py": "",
    "components/worker/executor.py": "import json\nfrom preprocessing import ops\n",
    "components/worker/lazy.py": "def f():\n    from trainer_module.loop import go\n",
    "components/other.py": "X = 1\n",
    "preprocessing/__init__.py": "",
    "preprocessing/ops.py": "from . import names\nfrom .deep.inner import Y\n",
    "preprocessing/names.py": "A = 1\n",
    "preprocessing/deep/__init__.py": "",
    "preprocessing/deep/inner.py": "from ..far import Z as Y\n",
    "preprocessing/far.py": "Z = 1\n",
    "trainer_module/__init__.py": "",
    "trainer_module/loop.py": "def go(): pass\n",
}


def make_tree(root, **changes):
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(changes.get(name, text))
    return root


def test_same_source_has_the_same_digest_wherever_it_lies(tmp_path):
    first = code_digest("components.worker", root=make_tree(tmp_path / "a"))
    second = code_digest("components.worker", root=make_tree(tmp_path / "b"))
    assert first == second
    assert len(first) == 64


@pytest.mark.parametrize(
    ("changed", "matters"),
    [
        ("components/worker/executor.py", True),
        ("preprocessing/ops.py", True),
        ("preprocessing/names.py", True),  # from . import
        ("preprocessing/deep/__init__.py", True),  # runs on the way to inner
        ("preprocessing/far.py", True),  # from ..far
        ("trainer_module/loop.py", True),  # imported inside a function
        ("components/__init__.py", True),
        ("components/other.py", False),
    ],
)
def test_digest_sees_imported_modules_only(tmp_path, changed, matters):
    before = code_digest("components.worker", root=make_tree(tmp_path / "a"))
    edited = make_tree(tmp_path / "b", **{changed: FILES[changed] + "B = 2\n"})
    assert (code_digest("components.worker", root=edited) != before) == matters


def test_a_module_is_a_unit_of_its_own(tmp_path):
    root = make_tree(tmp_path / "a")
    edited = make_tree(tmp_path / "b", **{"components/worker/lazy.py": "pass\n"})
    name = "components.worker.executor"
    assert code_digest(name, root=root) == code_digest(name, root=edited)


def test_unknown_name_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"components\.absent"):
        code_digest("components.absent", root=make_tree(tmp_path))


def test_own_components_have_different_digests():
    assert code_digest("components.artifacts") != code_digest("components.progress")


def test_a_digest_tells_its_files_and_foreign_imports(tmp_path):
    root = make_tree(tmp_path)
    code = code_of(code_digest("components.worker", root=root))
    assert set(code.files) == set(FILES) - {"components/other.py"}
    assert code.files["preprocessing/far.py"] == hashlib.sha256(b"Z = 1\n").hexdigest()
    assert "json" in code.foreign_imports
    assert not any(name.startswith("preprocessing") for name in code.foreign_imports)


def test_digest_of_another_process_is_not_known():
    with pytest.raises(KeyError):
        code_of("0" * 64)
