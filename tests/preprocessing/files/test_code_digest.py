"""The digest follows own imports and what they do, and nothing else."""

import pytest

from preprocessing.files.code_digest import code_digest, code_of

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
    edited = make_tree(tmp_path / "b", **{"preprocessing/far.py": "Z = 2\n"})
    after = code_of(code_digest("components.worker", root=edited)).files
    assert [name for name in after if after[name] != code.files[name]] == ["preprocessing/far.py"]
    assert "json" in code.foreign_imports
    assert not any(name.startswith("preprocessing") for name in code.foreign_imports)


def test_digest_of_another_process_is_not_known():
    with pytest.raises(KeyError):
        code_of("0" * 64)


PLAIN = """
import json
from preprocessing.names import A

def f(x, *, y=1.5):
    if x:
        return [x, y, A, "text", b"bytes", f"{x:>{y}} of {A!r}"]
    class B:
        pass
    return json.dumps({"a": -1})
"""
# The same with comments, docstrings, other quotes, brackets and line breaks.
DRESSED = '''
"""A docstring."""
import json  # of the standard library

from preprocessing.names import (
    A,
)


def f(x, *, y=15e-1):
    """Another."""
    # Why.
    if (x):
        return [
            x, y, A, 'text', b'bytes',
            f'{x:>{y}} of {A!r}',
        ]

    class B:
        """A third."""
        "and a fourth, below nothing"
        pass

    return json.dumps({"a": - 1})
'''


def test_comments_docstrings_and_formatting_do_not_count(tmp_path):
    name = "preprocessing/ops.py"
    plain = make_tree(tmp_path / "a", **{name: PLAIN})
    dressed = make_tree(tmp_path / "b", **{name: DRESSED})
    first, second = (code_digest("components.worker", root=root) for root in (plain, dressed))
    assert first == second
    assert code_of(first).files == code_of(second).files


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("1.5", "1.6"),
        ("1.5", "True"),
        ('"text"', 'b"text"'),
        ("-1", "1"),
        ("A!r", "A!s"),
        ("*, y", "y"),
        ("if x:", "while x:"),
        ("import json", "import json as j"),
        ("        pass", "        pass; 'x'.upper()"),
    ],
)
def test_what_runs_counts(tmp_path, before, after):
    name = "preprocessing/ops.py"
    assert before in PLAIN
    plain = make_tree(tmp_path / "a", **{name: PLAIN})
    edited = make_tree(tmp_path / "b", **{name: PLAIN.replace(before, after, 1)})
    digests = {code_digest("components.worker", root=root) for root in (plain, edited)}
    assert len(digests) == 2


def test_where_a_module_lies_does_not_count(tmp_path):
    before = code_digest("components.worker", root=make_tree(tmp_path / "a"))
    moved = make_tree(
        tmp_path / "b",
        **{"preprocessing/deep/inner.py": "from preprocessing.rooms.near import Z as Y\n"},
    )
    (moved / "preprocessing" / "rooms").mkdir()
    (moved / "preprocessing" / "rooms" / "__init__.py").write_text('"""A new room."""\n')
    (moved / "preprocessing/far.py").rename(moved / "preprocessing/rooms/near.py")
    assert code_digest("components.worker", root=moved) == before
    as_package = make_tree(tmp_path / "c")
    (as_package / "preprocessing/far").mkdir()
    (as_package / "preprocessing/far.py").rename(as_package / "preprocessing/far/__init__.py")
    assert code_digest("components.worker", root=as_package) == before


def test_which_of_two_modules_is_imported_counts(tmp_path):
    executor = "components/worker/executor.py"
    both = "from preprocessing.deep import inner\nfrom preprocessing.{} import {}\n"
    first = make_tree(tmp_path / "a", **{executor: both.format("names", "A")})
    second = make_tree(tmp_path / "b", **{executor: both.format("far", "A")})
    names = ["components.worker", "preprocessing.names", "preprocessing.far"]
    assert code_digest(*names, root=first) != code_digest(*names, root=second)
