"""The progress of one piece of work: a bar on a terminal, now and then a plain line elsewhere."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
from rich.table import Column

from components.progress import LOGGER_NAME

# Without a terminal, a line of progress is printed at most this often.
PLAIN_INTERVAL_SECS = 15.0


class ProgressDisplay:
    """Shows how far the work is that runs between `start` and `stop`."""

    def __init__(
        self,
        console: Console,
        *columns: ProgressColumn,
        indent: str = "",
        clock: Callable[[], float] = time.monotonic,
    ):
        """Prepares.

        Args:
          console: where the person reads.
          *columns: what stands before the bar on a terminal.
          indent: what a plain line begins with.
          clock: seconds that never go back.
        """
        self._console, self._indent, self._clock = console, indent, clock
        self._last_line = 0.0
        self._bar = Progress(
            *columns,
            BarColumn(bar_width=16),
            # The text gets what is left of the line, and never squeezes the bar.
            TextColumn(
                "{task.description}",
                markup=False,
                table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
            ),
            console=console,
            expand=True,
            transient=True,
        )

    def start(self) -> None:
        """The work begins."""
        self._last_line = self._clock()
        if self._console.is_terminal:
            self._bar.add_task("", total=None)
            self._bar.start()

    def update(self, fraction: float | None, text: str) -> None:
        """The work is at `fraction` (0 to 1, or None where unknown) and does `text`."""
        if self._console.is_terminal:
            task = self._bar.task_ids[0]
            total = None if fraction is None else 1.0
            self._bar.update(task, total=total, completed=fraction or 0.0, description=text)
        elif self._clock() - self._last_line >= PLAIN_INTERVAL_SECS:
            self._last_line = self._clock()
            percent = "" if fraction is None else f"{fraction:4.0%} "
            line = f"{self._indent}{percent}{text}"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def stop(self) -> None:
        """The work ended; takes the bar away."""
        if self._console.is_terminal:
            self._bar.stop()

    def __enter__(self) -> "ProgressDisplay":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Handler(logging.Handler):
    def __init__(self, show: Callable[[float | None, str], None]):
        super().__init__(logging.INFO)
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        self._show(getattr(record, "fraction", None), record.getMessage())


@contextlib.contextmanager
def reports_shown_by(show: Callable[[float | None, str], None]) -> Iterator[None]:
    """What is reported through `components.progress` in the block goes to `show(fraction, text)`.

    It still goes to the log as well.
    """
    handler = _Handler(show)
    logger = logging.getLogger(LOGGER_NAME)
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
