"""The digest of a file, in pieces: files may be larger than memory."""

import hashlib
from typing import BinaryIO

_BLOCK_BYTES = 1 << 20


def sha256_of(file: BinaryIO) -> str:
    """SHA-256 of what is left in an open file, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    while block := file.read(_BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()
