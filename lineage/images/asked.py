"""What a person means by an image: a file, its digest, or its name."""

import dataclasses
import re
from pathlib import Path

from preprocessing.errors import InputError
from preprocessing.files.digest import sha256_of


@dataclasses.dataclass(frozen=True)
class AskedImage:
    """An image that is asked for.

    Attributes:
      text: what the person gave.
      sha256: digest of its bytes; empty where only a name is known.
      name: its name, as `dataset_manifest.find_named` takes it; empty where there is none.
    """

    text: str
    sha256: str
    name: str


def read(text: str) -> AskedImage:
    """Looks at what a person gave: 64 hexadecimal digits are a digest, an existing file is read.

    Raises:
      InputError: the file cannot be read, or it is a folder.
    """
    if not text:
        raise InputError("--image takes a file, a SHA-256 or a name. Received: nothing")
    if re.fullmatch(r"[0-9a-fA-F]{64}", text):
        return AskedImage(text, text.lower(), "")
    path = Path(text)
    if path.is_dir():
        raise InputError(f"--image takes one image. Received: the folder {text!r}")
    if not path.exists():
        return AskedImage(text, "", text)
    try:
        with path.open("rb") as file:
            return AskedImage(text, sha256_of(file), str(path.absolute()))
    except OSError as error:
        raise InputError(f"--image {text}: cannot be read: {error.strerror}") from None
