"""Handwritten digits as an image folder of three classes."""

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

CLASSES = ("0", "1", "2")


def write_pictures(folder: Path, per_class: int) -> None:
    """Writes PNG files, one sub-folder a class; what is there already stays."""
    digits = load_digits()
    for label in CLASSES:
        (folder / label).mkdir(parents=True, exist_ok=True)
        chosen = digits.images[digits.target == int(label)][:per_class]
        for i, pixels in enumerate(chosen):
            Image.fromarray((pixels * 15.9).astype(np.uint8)).save(folder / label / f"{i}.png")
