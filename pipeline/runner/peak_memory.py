"""How much memory a run takes while a node runs: its own process and all that it started."""

import threading
from collections.abc import Iterable

import psutil

_INTERVAL_SECS = 0.5
# To divide shared pages among processes, the system walks through all of a process's pages: 40 ms
# for 2 GB. It is asked again once the plain sum, which costs nothing, has grown by so much.
_GROWTH = 1.03


class PeakMemory:
    """Looks at the memory of this process and its descendants as long as the block runs.

    Pages that processes share count once (PSS, where the system has it), so that forked workers
    are not counted as if each had loaded its libraries anew. The peak is right to 3 %; what is
    taken and given back between two looks, 0.5 s apart, is not seen.
    """

    def __init__(self):
        self._peak_bytes = 0
        self._largest_sum_bytes = 0
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
        processes = [own, *own.children(recursive=True)]
        plain_bytes = _sum_bytes(processes, shared_once=False)
        if plain_bytes >= self._largest_sum_bytes * _GROWTH:
            self._largest_sum_bytes = plain_bytes
            self._peak_bytes = max(self._peak_bytes, _sum_bytes(processes, shared_once=True))


def _sum_bytes(processes: Iterable[psutil.Process], shared_once: bool) -> int:
    return sum(_bytes(process, shared_once) for process in processes)


def _bytes(process: psutil.Process, shared_once: bool) -> int:
    try:
        memory = process.memory_full_info() if shared_once else process.memory_info()
    except psutil.Error:  # it ended meanwhile, or is another user's
        return 0
    return getattr(memory, "pss", memory.rss)
