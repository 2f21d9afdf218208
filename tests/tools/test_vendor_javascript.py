"""The JavaScript that is embedded in pages is what its list says."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "pipeline" / "report" / "vendor"


def _check(root: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, str(root / "tools" / "vendor_javascript.py"), "--check"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_files_are_those_of_the_list():
    done = _check(ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    named = {file["name"] for library in _libraries() for file in library["files"]}
    assert {path.name for path in FOLDER.iterdir()} == {*named, "libraries.json"}


def test_each_library_brings_its_licence():
    for library in _libraries():
        names = [file["name"] for file in library["files"]]
        [licence] = [name for name in names if name.startswith("LICENSE.")]
        assert "Copyright (c)" in (FOLDER / licence).read_text()


def test_a_changed_file_is_named(tmp_path):
    for folder in ("tools", "pipeline/report/vendor"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    changed = tmp_path / "pipeline/report/vendor/dagre.min.js"
    changed.write_bytes(changed.read_bytes() + b" ")
    done = _check(tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{changed} must have the SHA-256 ")


def _libraries() -> list[dict]:
    return json.loads((FOLDER / "libraries.json").read_text())
