import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os, subprocess, sys
from pathlib import Path
from preprocessing.output_capture import OutputCapture

folder = Path(sys.argv[1])
with OutputCapture() as capture:
    with capture.to_file(folder / "outer.log"):
        print("python outer")
        os.write(2, b"descriptor outer\\n")
        with capture.to_file(folder / "inner.log"):
            subprocess.run(["echo", "child inner"])
            print("for the person", file=capture.terminal)
        print("python outer again")
    print("between")
print("after")
"""


def test_everything_printed_goes_to_the_file_of_the_block(tmp_path):
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], cwd=root, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["for the person", "between", "after"]
    assert sorted((tmp_path / "outer.log").read_text().splitlines()) == [
        "descriptor outer",
        "python outer",
        "python outer again",
    ]
    assert (tmp_path / "inner.log").read_text() == "child inner\n"
