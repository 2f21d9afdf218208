"""Statistics of the corpora that were accepted, in a folder that later runs see.

For orchestrators without ML Metadata. <folder>/<UTC time>-<digest of the corpus>/Split-<name>/...
"""

import datetime
import hashlib
import os
import shutil
import uuid
from pathlib import Path

# More than the one before, for a person to look back at.
KEPT_CORPORA = 20
_DIGEST_CHARS = 16


def newest_other(folder: str, content: str) -> str | None:
    """The statistics of the newest corpus that has other content, None where there are none.

    Args:
      folder: where they are kept.
      content: what the corpus is that is compared.
    """
    others = [path for path in _kept(Path(folder)) if _digest_of(path) != _digest(content)]
    return str(others[-1]) if others else None


def keep(folder: str, content: str, statistics: str) -> None:
    """Keeps statistics, as the newest, unless those of the same corpus are the newest already.

    Args:
      folder: where they are kept; it is made.
      content: what the corpus is.
      statistics: folder of a StatisticsGen's output.
    """
    root = Path(folder)
    there = _kept(root)
    if there and _digest_of(there[-1]) == _digest(content):
        return
    root.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.timezone.utc)
    temporary = root / f".{uuid.uuid4().hex}"
    try:
        shutil.copytree(statistics, temporary)
        os.rename(temporary, root / f"{now:%Y%m%dT%H%M%S%f}-{_digest(content)}")
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    for path in _kept(root)[:-KEPT_CORPORA]:
        shutil.rmtree(path)


def _kept(root: Path) -> list[Path]:
    """The oldest first."""
    if not root.is_dir():
        return []
    return sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] != ".")


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:_DIGEST_CHARS]


def _digest_of(path: Path) -> str:
    return path.name.rpartition("-")[2]
