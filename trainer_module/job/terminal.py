"""The terminal of a training, for ranks whose standard output is a pipe.

`horovodrun` collects what its ranks print. The first rank draws its bar on the supervisor's
terminal all the same: the supervisor, which is on the same machine, tells it the device.

Nothing here imports TensorFlow.
"""

import os
import sys

from rich.console import Console

# Set for ranks: path of the terminal's device.
VARIABLE = "EFFNET_TERMINAL"


def environment() -> dict[str, str]:
    """What a rank needs to find the terminal of this process; empty where there is none."""
    return {VARIABLE: os.ttyname(sys.stdout.fileno())} if sys.stdout.isatty() else {}


def console() -> Console:
    """Where the person reads: the terminal that was told, else standard output."""
    path = os.environ.get(VARIABLE)
    if path is None or sys.stdout.isatty():
        return Console(highlight=False)
    try:
        file = open(path, "w")  # noqa: SIM115
        columns = os.get_terminal_size(file.fileno()).columns
    except OSError:  # closed meanwhile
        return Console(highlight=False)
    return Console(file=file, width=columns or None, highlight=False)  # keeps it open


def give_back() -> None:
    """Shows the cursor again, where a rank that was killed had hidden it for its bar."""
    if sys.stdout.isatty():
        Console().show_cursor(True)
