"""Fingerprints of artifacts: whether their files still are what was published.

Each file's SHA-256 is taken once, when the artifact is published. Later only the file system is
asked; a file whose size, times or inode differ is read again, so that touching or copying files
does no harm and changed bytes are seen. The record lies beside the artifacts, below `.system`.
Files whose names begin with a dot do not count. What says when and how fast an artifact was made
(`RUN_FILES`) is looked after as well, and no part of the fingerprint.
"""

import concurrent.futures
import fnmatch
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from components.stored_names import RUN_FILES
from preprocessing.files.digest import sha256_of
from preprocessing.files.new_file import write_text

RECORDS_FOLDER = Path(".system", "fingerprints")
# Hashing lets go of Python's lock; more threads than this wait for the disk.
_MAX_THREADS = 8


def take(uri: str | Path) -> str:
    """Reads all files of an artifact, keeps the record of them, and returns the fingerprint.

    Args:
      uri: the artifact's folder, as TFX lays it out: `<node>/<output>/<execution>`.

    Returns:
      SHA-256 over the names and contents, as 64 hexadecimal digits: artifacts of equal content
      have equal fingerprints wherever they lie.
    """
    states = _states(Path(uri))
    return _keep(Path(uri), states, _digests(Path(uri), states))


def published(uri: str | Path) -> dict[str, str]:
    """The SHA-256 of each file of an artifact, as it was when it was published.

    Returns:
      Digests by path below the artifact's folder; none where nothing was noted.
    """
    return _column(_load(_record_path(Path(uri))) or {}, "sha256")


def difference(uri: str | Path, fingerprint: str) -> str | None:
    """Says how an artifact's files differ from what was published.

    Args:
      uri: the artifact's folder.
      fingerprint: what `take` returned for it.

    Returns:
      A few words that name a file, as in `2 files gone (Split-eval/..., ...)`; None where the
      files are the same.
    """
    folder = Path(uri)
    if not folder.is_dir():
        return "its folder is gone"
    states = _states(folder)
    record = _load(_record_path(folder))
    if record is None or _fingerprint(_column(record, "sha256")) != fingerprint:
        same = _keep(folder, states, _digests(folder, states)) == fingerprint
        return None if same else "its files changed"
    gone = sorted(set(record) - set(states))
    added = sorted(set(states) - set(record))
    moved = [name for name in states if name in record and record[name]["state"] != states[name]]
    fresh = _digests(folder, moved)
    changed = sorted(name for name in moved if record[name]["sha256"] != fresh[name])
    for names, what in ((gone, "gone"), (changed, "changed"), (added, "added")):
        if names:
            count = "1 file" if len(names) == 1 else f"{len(names)} files"
            return f"{count} {what} ({names[0]}{', ...' if len(names) > 1 else ''})"
    if moved:  # touched or copied: not to be read again the next time
        _keep(folder, states, {**_column(record, "sha256"), **fresh})
    return None


def _states(folder: Path) -> dict[str, list[int]]:
    """What the file system says of each file; it changes whenever somebody writes the file."""
    states = {}
    for path in _files(folder):
        stat = path.stat()
        name = path.relative_to(folder).as_posix()
        states[name] = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
    return states


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            if not name.startswith(".") and path.is_file():
                yield path


def _digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    names = list(names)
    with concurrent.futures.ThreadPoolExecutor(_MAX_THREADS) as threads:
        digests = threads.map(lambda name: _sha256(folder / name), names)
        return dict(zip(names, digests, strict=True))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return sha256_of(file)


def _fingerprint(digests: Mapping[str, str]) -> str:
    content = {name: digest for name, digest in digests.items() if not _is_run_file(name)}
    lines = "".join(f"{digest} {name}\n" for name, digest in sorted(content.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _is_run_file(name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in RUN_FILES)


def _keep(folder: Path, states: Mapping[str, list[int]], digests: Mapping[str, str]) -> str:
    record = {n: {"state": states[n], "sha256": digests[n]} for n in sorted(states)}
    path = _record_path(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(record))
    return _fingerprint(digests)


def _load(path: Path) -> dict[str, dict[str, Any]] | None:
    """The record, None where there is none that can be read: then the files are read again."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _column(record: Mapping[str, Mapping[str, Any]], key: str) -> dict[str, Any]:
    return {name: values[key] for name, values in record.items()}


def _record_path(folder: Path) -> Path:
    return folder.parent.parent / RECORDS_FOLDER / f"{folder.parent.name}-{folder.name}.json"
