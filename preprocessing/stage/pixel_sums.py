"""Mean and deviation of pixels, as sums of integers that any number of workers may add up.

Integers make the result the same to the last bit, whatever the order in which they are added.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from preprocessing import features

_VALUES = np.arange(256, dtype=np.int64)


@dataclass
class PixelSums:
    """Sums over the pixels of some images.

    Attributes:
      pixels: how many there were.
      sums: of the values 0 to 255; one a channel, in the order red, green, blue.
      squares: sums of the squared values, likewise.
    """

    pixels: int = 0
    sums: list[int] = field(default_factory=lambda: [0] * features.CHANNELS)
    squares: list[int] = field(default_factory=lambda: [0] * features.CHANNELS)

    def add_image(self, image: Image.Image) -> None:
        """Adds a picture of mode `RGB` or `L`; a grey one counts as three equal channels."""
        counts = np.array(image.histogram(), np.int64).reshape(-1, 256)  # [bands, values]
        sums = (counts @ _VALUES).tolist()
        squares = (counts @ _VALUES**2).tolist()
        if len(sums) == 1:
            sums, squares = sums * features.CHANNELS, squares * features.CHANNELS
        self.add(PixelSums(image.width * image.height, sums, squares))

    def add(self, other: "PixelSums") -> None:
        """Adds the sums of other images."""
        self.pixels += other.pixels
        self.sums = [a + b for a, b in zip(self.sums, other.sums, strict=True)]
        self.squares = [a + b for a, b in zip(self.squares, other.squares, strict=True)]

    def mean(self) -> list[float]:
        """Mean value of each channel, 0 to 255; of no pixels at all 0."""
        return [total / self.pixels if self.pixels else 0.0 for total in self.sums]

    def deviation(self) -> list[float]:
        """Standard deviation of each channel, 0 to 127.5; of no pixels at all 0."""
        if not self.pixels:
            return [0.0] * features.CHANNELS
        # Exact up to the root: a difference of floats would lose small deviations.
        return [
            math.sqrt(self.pixels * square - total * total) / self.pixels
            for total, square in zip(self.sums, self.squares, strict=True)
        ]

    def as_json(self) -> dict[str, Any]:
        """What `PixelSums(**...)` takes."""
        return {"pixels": self.pixels, "sums": self.sums, "squares": self.squares}
