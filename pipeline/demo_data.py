"""The corpus of the demo: real images that need no download."""

from pathlib import Path

import numpy as np
from PIL import Image

from preprocessing.errors import InputError
from preprocessing.files.publish import staged

# Values of scikit-learn's digits are counts of set pixels in 4 x 4 blocks.
_MAX_VALUE = 16


def write_digits(folder: Path) -> int:
    """Writes scikit-learn's handwritten digits as an image folder.

    1,797 grey PNG files of 8 x 8 pixels, 8 bits, in the folders `0` to `9`. They come from
    scikit-learn itself (the test set of the UCI Optical Recognition of Handwritten Digits). A
    folder that has them already is left as it is.

    Args:
      folder: absent, empty, or written by this function.

    Returns:
      The number of images.

    Raises:
      InputError: something else is in the folder.
    """
    from sklearn.datasets import load_digits  # takes seconds, which a refused call need not wait

    digits = load_digits()
    names = [f"{label}/{number:04d}.png" for number, label in enumerate(digits.target)]
    if folder.is_dir() and any(folder.iterdir()):
        found = {path.relative_to(folder).as_posix() for path in folder.glob("*/*")}
        if found == set(names):
            return len(names)
        raise InputError(
            f"demo-data writes into an absent or empty folder. Received: {folder}, which has "
            "something else in it"
        )
    scaled = np.rint(digits.images * (255 / _MAX_VALUE)).astype(np.uint8)
    with staged(str(folder)) as staging:
        for label in map(str, digits.target_names):
            (staging / label).mkdir()
        for name, pixels in zip(names, scaled, strict=True):
            Image.fromarray(pixels).save(staging / name)
    return len(names)
