"""What a person sees of a run: a progress bar on a terminal, plain lines elsewhere."""

import textwrap
import time
from collections.abc import Callable
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

# Without a terminal, a line of progress within a node is printed at most this often.
PLAIN_INTERVAL_SECS = 15.0
# The whole reason stands in the summary.
MAX_REASON_CHARS = 120


class RunConsole:
    """Shows the nodes of a run as they start, progress and end."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic):
        """Writes to `stream`; `clock` gives seconds that never go back."""
        self._console = Console(file=stream, highlight=False)
        self._clock = clock
        self._position = ""
        self._last_line = 0.0
        self._progress: Progress | None = None

    def print(self, text: str) -> None:
        """Prints a line as it is."""
        self._console.print(text, markup=False, soft_wrap=True)

    def node_started(self, node_id: str, number: int, num_nodes: int) -> None:
        """A node begins, the `number`-th (from 1) of `num_nodes`."""
        self._position = f"[{number:>2}/{num_nodes}]"
        self._last_line = self._clock()
        if self._console.is_terminal:
            self._progress = Progress(
                TextColumn(self._position, markup=False),
                SpinnerColumn(),
                TextColumn("{task.fields[node]:<19}"),
                BarColumn(bar_width=16),
                TimeElapsedColumn(),
                # The text gets what is left of the line, and never squeezes the bar.
                TextColumn(
                    "{task.description}",
                    markup=False,
                    table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
                ),
                console=self._console,
                expand=True,
                transient=True,
            )
            self._progress.add_task("", total=None, node=node_id)
            self._progress.start()
        else:
            self.print(f"{self._position} {node_id} ...")

    def node_progress(self, fraction: float | None, text: str) -> None:
        """A node is at `fraction` (0 to 1, or None where unknown) and says `text`."""
        if self._progress is not None:
            task = self._progress.task_ids[0]
            total = None if fraction is None else 1.0
            self._progress.update(task, total=total, completed=fraction or 0.0, description=text)
        elif self._clock() - self._last_line >= PLAIN_INTERVAL_SECS:
            self._last_line = self._clock()
            percent = "" if fraction is None else f"{fraction:4.0%} "
            self.print(f"        {percent}{text}")

    def node_finished(self, node_id: str, state: str, secs: float, why: str = "") -> None:
        """A node ended as `ran`, `cached` or `failed` after `secs` seconds, and why it ran."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
        reason = f"  {textwrap.shorten(why, MAX_REASON_CHARS)}" if why else ""
        self.print(f"{self._position} {node_id:<22} {state:<7} {secs:7.1f} s{reason}")
