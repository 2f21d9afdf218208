"""What can be seen of a damaged file."""

import io

import numpy as np
import pytest
from PIL import Image, ImageFile

from preprocessing.images.partial import partial_pixels
from preprocessing.images.unusable import UnusableImageError

LIMITS = {"max_side_px": 64, "max_pixels": 1_000_000}


def encoded(file_format: str, size=(120, 90), **options) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
    buffer = io.BytesIO()
    image = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
@pytest.mark.parametrize("share", [0.6, 1.0])
def test_upper_part_of_a_file_that_ends_too_early(file_format, share):
    data = encoded(file_format)
    found = partial_pixels(data[: int(len(data) * share)], **LIMITS)
    assert (found.size, found.mode) == ((64, 48), "RGB")
    whole = Image.open(io.BytesIO(data)).convert("RGB")
    whole.thumbnail((64, 64))
    upper = (0, 0, 64, 12)
    difference = np.subtract(found.crop(upper), np.asarray(whole.crop(upper), np.int16))
    assert np.abs(difference).mean() < 6


def test_upright_where_exif_says_so():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert partial_pixels(encoded("JPEG", exif=exif)[:-500], **LIMITS).size == (48, 64)


@pytest.mark.parametrize(
    ("data", "limits"),
    [
        (b"", LIMITS),
        (b"no picture", LIMITS),
        (b"\xff\xd8\xff\xe0 no more", LIMITS),
        (encoded("PNG"), {**LIMITS, "max_pixels": 120 * 90 - 1}),
    ],
)
def test_no_picture_and_too_many_pixels(data, limits):
    with pytest.raises(UnusableImageError):
        partial_pixels(data, **limits)


def test_other_readers_stay_strict():
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    partial_pixels(encoded("JPEG")[:-500], **LIMITS)
    with pytest.raises(UnusableImageError):
        partial_pixels(b"\xff\xd8\xff\xe0", **LIMITS)
    assert before == ImageFile.LOAD_TRUNCATED_IMAGES
    with pytest.raises(OSError, match="truncated"):
        Image.open(io.BytesIO(encoded("JPEG")[:-500])).load()
