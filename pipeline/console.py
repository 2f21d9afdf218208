"""What a person sees of a run: its nodes as they start, progress and end."""

import textwrap
import time
from collections.abc import Callable
from typing import TextIO

from rich.console import Console
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from pipeline.progress_display import ProgressDisplay

# The whole reason stands in the summary.
MAX_REASON_CHARS = 120


class RunConsole:
    """Shows the nodes of a run."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic):
        """Writes to `stream`; `clock` gives seconds that never go back."""
        self._console = Console(file=stream, highlight=False)
        self._clock = clock
        self._position = ""
        self._display: ProgressDisplay | None = None

    def print(self, text: str) -> None:
        """Prints a line as it is."""
        self._console.print(text, markup=False, soft_wrap=True)

    def node_started(self, node_id: str, number: int, num_nodes: int) -> None:
        """A node begins, the `number`-th (from 1) of `num_nodes`."""
        self._position = f"[{number:>2}/{num_nodes}]"
        if not self._console.is_terminal:
            self.print(f"{self._position} {node_id} ...")
        self._display = ProgressDisplay(
            self._console,
            TextColumn(self._position, markup=False),
            SpinnerColumn(),
            TextColumn(f"{node_id:<19}", markup=False),
            TimeElapsedColumn(),
            indent=" " * 8,
            clock=self._clock,
        )
        self._display.start()

    def node_progress(self, fraction: float | None, text: str) -> None:
        """A node is at `fraction` (0 to 1, or None where unknown) and says `text`."""
        if self._display is not None:
            self._display.update(fraction, text)

    def node_finished(self, node_id: str, state: str, secs: float, why: str = "") -> None:
        """A node ended as `ran`, `cached` or `failed` after `secs` seconds, and why it ran."""
        if self._display is not None:
            self._display.stop()
            self._display = None
        reason = f"  {textwrap.shorten(why, MAX_REASON_CHARS)}" if why else ""
        self.print(f"{self._position} {node_id:<22} {state:<7} {secs:7.1f} s{reason}")
