"""What the Beam stage does with each image: the parameters of ImagePreprocessor and their defaults.

They are declared here and nowhere else. The config, the command line and the component take names,
types, bounds, defaults and descriptions from these classes.
"""

from typing import Annotated, Literal

import pydantic
from pydantic import Field

from preprocessing.images.colors import RGB, color_code, parse_color
from preprocessing.settings import Float, Settings

BYTES_PER_MB = 1_000_000


def _color(value: object) -> str:
    if not isinstance(value, str | list | tuple):
        raise ValueError("a colour must be a CSS name in quotes, '#rrggbb', or [red, green, blue]")
    return color_code(parse_color(value))


# `#rrggbb`, whichever way it was given.
Color = Annotated[str, pydantic.BeforeValidator(_color)]


class PictureOptions(Settings):
    """What is done with each image."""

    max_side_px: int = Field(256, ge=8)
    """The shorter side is shrunk to at most this many pixels; nothing is enlarged."""
    jpeg_quality: int = Field(95, ge=1, le=100)
    """Quality of re-encoded images. Images that need no change are not re-encoded."""
    background: Color = "#ffffff"
    """What shows through transparent parts: a CSS colour name, #rrggbb, or [red, green, blue]."""
    gray16: Literal["as_is", "stretch"] = "as_is"
    """What becomes of grey values of 16 bits. as_is: the high byte counts. stretch: the 0.5th
    percentile of a picture's values becomes black and the 99.5th white, for cameras that fill 12
    of the bits."""
    max_bad_fraction: Float = Field(0.01, ge=0, le=1)
    """The run stops when more than this share of the images is unusable."""
    max_pixels: int = Field(100_000_000, ge=1)
    """An image whose header says more pixels than this is not decoded but quarantined."""
    shard_size_mb: int = Field(128, ge=1)
    """Target size of a TFRecord shard in megabytes (10^6 bytes)."""

    @property
    def background_rgb(self) -> RGB:
        """Red, green and blue of `background`, 0 to 255 each."""
        return parse_color(self.background)


class CopyOptions(Settings):
    """What becomes of copies."""

    on_duplicate: Literal["keep", "drop", "fail"] = "keep"
    """Files with the same bytes: use all, use one (none where their labels differ), or stop."""


class StageOptions(CopyOptions, PictureOptions):
    """All parameters of the Beam stage, which are those of ImagePreprocessor."""
