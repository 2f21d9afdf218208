"""Sends everything that this process and its children print into log files.

TensorFlow, Beam workers and gRPC write to file descriptors 1 and 2 from C++ and from other
processes; replacing `sys.stdout` would not catch them, so the descriptors are redirected.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO


class OutputCapture:
    """Descriptors 1 and 2 go to a file of choice; `terminal` still reaches the person.

    Attributes:
      terminal: a text stream to what standard output was.
    """

    def __init__(self, enabled: bool = True):
        """With `enabled` false nothing is redirected, and `terminal` is standard output."""
        self._enabled = enabled
        self._originals: tuple[int, int] | None = None
        self.terminal: TextIO = sys.stdout

    def __enter__(self) -> "OutputCapture":
        if self._enabled:
            sys.stdout.flush()
            sys.stderr.flush()
            self._originals = (os.dup(1), os.dup(2))
            self.terminal = os.fdopen(os.dup(self._originals[0]), "w", buffering=1)
        return self

    def __exit__(self, *_: object) -> None:
        if self._originals is not None:
            sys.stdout.flush()
            sys.stderr.flush()
            for descriptor, original in zip((1, 2), self._originals, strict=True):
                os.dup2(original, descriptor)
                os.close(original)
            self.terminal.close()
            self._originals = None

    @contextlib.contextmanager
    def to_file(self, path: Path) -> Iterator[None]:
        """Appends to `path` what is printed inside the block; blocks may be nested."""
        if not self._enabled:
            yield
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        sys.stdout.flush()
        sys.stderr.flush()
        before = (os.dup(1), os.dup(2))
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for descriptor, original in zip((1, 2), before, strict=True):
                os.dup2(original, descriptor)
                os.close(original)
