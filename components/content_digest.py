"""One digest for a folder of files: what a model is, wherever it lies. No TFX."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from preprocessing.files.digest import sha256_of


def digest_of_files(digests: Mapping[str, str]) -> str:
    """The digest of a folder.

    Args:
      digests: SHA-256, hexadecimal, of each file by its path below the folder.

    Returns:
      SHA-256, hexadecimal, over paths and digests.
    """
    digest = hashlib.sha256()
    for name in sorted(digests):
        # Fixed-length digests, and a separator no path holds: no two folders read the same.
        digest.update(name.encode() + b"\0" + bytes.fromhex(digests[name]))
    return digest.hexdigest()


def digest_of_folder(folder: Path) -> str:
    """The digest of a folder of this machine."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return digest_of_files({path.relative_to(folder).as_posix(): _sha256(path) for path in paths})


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return sha256_of(file)
