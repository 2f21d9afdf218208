"""Progress of a command on standard error: a bar on a terminal, plain lines elsewhere."""

import logging
import time
from collections.abc import Callable
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from components.progress import LOGGER_NAME

PLAIN_INTERVAL_SECS = 15.0


class ProgressLines(logging.Handler):
    """Shows what is reported through `components.progress` inside a `with` block."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic):
        """Writes to `stream`; `clock` gives seconds that never go back."""
        super().__init__(logging.INFO)
        self._stream, self._clock = stream, clock
        self._last_line = clock()
        console = Console(file=stream)
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, transient=True)
        self._is_terminal = console.is_terminal
        self._logger = logging.getLogger(LOGGER_NAME)
        self._before = (self._logger.level, self._logger.propagate)

    def __enter__(self) -> "ProgressLines":
        self._logger.addHandler(self)
        self._logger.setLevel(logging.INFO)
        self._logger.propagate = False
        if self._is_terminal:
            self._bar.add_task("starting", total=1.0)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
        level, self._logger.propagate = self._before
        self._logger.setLevel(level)
        if self._is_terminal:
            self._bar.stop()

    def emit(self, record: logging.LogRecord) -> None:
        """Shows one report."""
        fraction = getattr(record, "fraction", None)
        if self._is_terminal:
            self._bar.update(
                self._bar.task_ids[0], completed=fraction or 0.0, description=record.getMessage()
            )
        elif self._clock() - self._last_line >= PLAIN_INTERVAL_SECS:
            self._last_line = self._clock()
            percent = "" if fraction is None else f"{fraction:4.0%} "
            print(f"{percent}{record.getMessage()}", file=self._stream, flush=True)
