"""The errors of bad input, told to the person in one line."""

from collections.abc import Mapping
from typing import Any

from preprocessing.text import one_line


class InputError(ValueError):
    """What the person gave cannot be used: a config, a folder, a model, an argument.

    The message is one line: the rule, what was received, how to mend it. The command line
    prints it without a traceback and ends with exit status 2. What the names of files and the
    like bring into it is escaped where it would break the line or steer a terminal.
    """

    def __init__(self, message: str):
        super().__init__(one_line(message))


class AwayError(ConnectionError):
    """A server that the work needs does not answer: nobody's fault here, and it may be back soon.

    The message is one line: which server, and what it said. The command line prints it without a
    traceback and ends with exit status 3.
    """

    def __init__(self, message: str):
        super().__init__(one_line(message))


class UnusableCorpusError(InputError):
    """So much of a corpus cannot be used that the work stops.

    Attributes:
      counts: what became of the images, as far as it is known, with the keys of `counts.json`.
      lists: folder with the lists of the images in question; empty where there are none.
    """

    def __init__(self, message: str, counts: Mapping[str, Any], lists: str = ""):
        super().__init__(message)
        self.counts = dict(counts)
        self.lists = lists
