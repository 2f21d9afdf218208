"""How much memory a run takes while a node runs: its own process and all that it started."""

import threading

import psutil

_INTERVAL_SECS = 0.5


class PeakMemory:
    """Looks at the memory of this process and its descendants as long as the block runs.

    Pages that processes share count once (PSS, where the system has it), so that forked workers
    are not counted as if each had loaded its libraries anew. What is taken and given back between
    two looks, 0.5 s apart, is not seen.
    """

    def __init__(self):
        self._peak_bytes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._look()

    @property
    def peak_mb(self) -> float:
        """The most that was seen, in 10^6 bytes."""
        return round(self._peak_bytes / 1e6, 1)

    def _watch(self) -> None:
        self._look()
        while not self._ended.wait(_INTERVAL_SECS):
            self._look()

    def _look(self) -> None:
        own = psutil.Process()
        found = sum(map(_bytes, [own, *own.children(recursive=True)]))
        self._peak_bytes = max(self._peak_bytes, found)


def _bytes(process: psutil.Process) -> int:
    try:
        memory = process.memory_full_info()
    except psutil.Error:  # it ended meanwhile, or is another user's
        return 0
    return getattr(memory, "pss", memory.rss)
