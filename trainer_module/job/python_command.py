"""Command lines for Python programs that are children of ours."""

import os
import sys
from pathlib import Path

# `python -m` and `python -c` look for every module first in the folder in which they are started:
# a `random.py` or `yaml.py` of a person's would take the place of the library. Python's own switch
# for that, -P, came with 3.11. The first entry of the path is gone here before anything is imported
# that is not built in; our packages are found although they are not installed.
_PROGRAM = (
    "import sys; sys.path[:] = [entry for entry in sys.path if entry]; "
    "_, root, folder, module, *arguments = sys.argv; sys.path.append(root); "
    "import os; os.chdir(folder); sys.argv[1:] = arguments; "
    "from preprocessing import lean_import; lean_import.install(); "
    "import runpy; runpy.run_module(module, run_name='__main__', alter_sys=True)"
)
_ROOT = Path(__file__).resolve().parents[2]


def run_module(module: str, *arguments: str, folder: str | None = None) -> list[str]:
    """The command that runs a module as a program, whatever files lie where it is started.

    Args:
      module: its dotted name.
      arguments: of the program.
      folder: where it runs; by default where this process does.
    """
    where = os.getcwd() if folder is None else folder
    return [sys.executable, "-c", _PROGRAM, str(_ROOT), where, module, *arguments]
