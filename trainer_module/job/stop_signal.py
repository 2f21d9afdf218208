"""How a rank is asked to stop: by SIGTERM, after which it writes a checkpoint."""

import signal


class TrainingInterrupted(Exception):
    """Training was asked to stop; a checkpoint was written."""


class StopRequest:
    """SIGTERM (an eviction, a shutdown) asks for a checkpoint and an end.

    Attributes:
      asked: 1.0 after the signal, 0.0 before.
    """

    def __init__(self) -> None:
        self.asked = 0.0
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = 1.0
