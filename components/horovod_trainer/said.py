"""What a training prints: passed on, and kept where it says why it ended."""

import os
from collections.abc import Iterable

_ERROR_PREFIX = "error: "


class Said:
    """Takes the lines that a training prints.

    Attributes:
      count: how many there were.
    """

    def __init__(self) -> None:
        self._error, self._last, self.count = "", "", 0

    @property
    def error(self) -> str:
        """Why the training ended: what it says of it, or else what it printed last."""
        said_last = f"; the last that it printed: {self._last}" if self._last else ""
        return self._error or f"the training ended without saying why{said_last}"

    def read(self, lines: Iterable[str]) -> None:
        """Takes all lines of a stream."""
        for line in lines:
            self.take(line)

    def take(self, line: str) -> None:
        """Takes a line, with its end."""
        # To the descriptor, which the runner sends to the node's log, whatever sys.stdout is.
        os.write(1, line.encode())
        self.count += 1
        self._last = line.strip() or self._last
        if line.startswith(_ERROR_PREFIX):
            self._error = line.removeprefix(_ERROR_PREFIX).strip()
