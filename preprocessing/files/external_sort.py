"""Sorting more rows than memory should hold: sorted runs on disk, then a merge.

Why not sqlite3: it is as fast, but its sorter writes to /var/tmp, whatever the caller's folder (the
setting for it is deprecated, and not in every build), and a container often has no room there.
Why not pyarrow: it sorts in memory only. Why not DuckDB: a dependency of 20 MB for this one call.
"""

import heapq
import itertools
import os
import pickle
import tempfile
from collections.abc import Iterable, Iterator

# A row of names and numbers takes about half a kilobyte in memory.
ROWS_IN_MEMORY = 50_000
# So many files are open at once; more runs are merged in several rounds.
FAN_IN = 64


def sorted_rows(
    rows: Iterable[tuple], folder: str, *, rows_in_memory: int = ROWS_IN_MEMORY
) -> Iterator[tuple]:
    """Yields rows in ascending order, with no more of them in memory than asked for.

    Args:
      rows: tuples that can be compared with each other and pickled.
      folder: existing folder for temporary files, which are gone when the iterator is used up or
        closed.
      rows_in_memory: 1 or more; fewer rows than this never touch the disk.
    """
    rows = iter(rows)
    first = sorted(itertools.islice(rows, rows_in_memory))
    if len(first) < rows_in_memory:
        yield from first
        return
    with tempfile.TemporaryDirectory(prefix="sort.", dir=folder) as runs_folder:
        runs = [_write_run(first, runs_folder, "0-0")]
        del first
        while run := sorted(itertools.islice(rows, rows_in_memory)):
            runs.append(_write_run(run, runs_folder, f"0-{len(runs)}"))
        run = []
        for level in itertools.count(1):
            if len(runs) <= FAN_IN:
                break
            groups = [runs[start : start + FAN_IN] for start in range(0, len(runs), FAN_IN)]
            runs = [
                _write_run(_merged(group), runs_folder, f"{level}-{number}")
                for number, group in enumerate(groups)
            ]
        yield from _merged(runs)


def _write_run(rows: Iterable[tuple], folder: str, name: str) -> str:
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        for row in rows:
            # One at a time, so that reading holds one at a time, too.
            pickle.dump(row, file, protocol=pickle.HIGHEST_PROTOCOL)
    return path


def _merged(paths: list[str]) -> Iterator[tuple]:
    yield from heapq.merge(*map(_read_run, paths))
    for path in paths:
        os.remove(path)


def _read_run(path: str) -> Iterator[tuple]:
    with open(path, "rb") as file:
        while True:
            try:
                yield pickle.load(file)
            except EOFError:
                return
