"""JPEGs of every sampling of colours that encoders write: used with all pixels, or refused."""

import io
import shutil
import subprocess

import numpy as np
import odd_files
import pytest
import tensorflow as tf
from PIL import Image

from preprocessing.images import image_ops, unusable

LIMITS = {"max_side_px": 1000, "jpeg_quality": 95, "max_pixels": 10_000_000}
SAMPLINGS = ["4x2", "2x4", "3x1", "1x3", "3x2", "2x1,2x1,1x1", "2x2,2x1,1x1", "1x1,2x2,2x2"]
CODINGS = {
    "usual": (),
    "optimised": ("-define", "jpeg:optimize-coding=true"),
    "restarts": ("-define", "jpeg:restart-interval=1"),
    "best": ("-quality", "100"),
}
# Noise has codes of every kind, and a size that no unit of blocks divides.
PHOTO = odd_files.PHOTO.crop((0, 0, 171, 133))


def jpeg(sampling: str, *options: str) -> bytes:
    """A JPEG by ImageMagick; Pillow writes three samplings only."""
    program = shutil.which("magick") or shutil.which("convert")
    assert program, "ImageMagick must be installed (README, prerequisites of make test)"
    command = [program, "ppm:-", "-sampling-factor", sampling, *options, "jpeg:-"]
    source = odd_files.saved(PHOTO, "PPM")
    return subprocess.run(command, input=source, capture_output=True, check=True).stdout


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_is_used_with_the_pixels_that_pillow_and_tensorflow_see(sampling, coding):
    data = jpeg(sampling, *CODINGS[coding])
    factors = data[data.index(b"\xff\xc0") + 11 :][:7:3]
    first = sampling.split(",")[0]
    assert factors[0] == int(first[0]) << 4 | int(first[2])
    result = image_ops.normalise(data, **LIMITS)
    assert result.format == "jpeg"
    expected = np.asarray(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(Image.open(io.BytesIO(result.data)), expected)
    decoded = tf.io.decode_jpeg(result.data, 3, dct_method="INTEGER_ACCURATE")
    np.testing.assert_array_equal(decoded, expected)
    small = image_ops.normalise(data, **{**LIMITS, "max_side_px": 20})
    assert min(small.height, small.width) == 20


def damages(data: bytes) -> dict[str, bytes]:
    """The same file with fewer pixels, or with others, than it had."""
    half = len(data) // 2
    return {
        "cut": data[:half],
        "early end": data[:half] + b"\xff\xd9",
        "last blocks missing": data[:-40] + b"\xff\xd9",
        "zeros in the middle": data[:half] + bytes(2000) + data[half + 2000 :],
        "a part twice": data[:half] + data[half - 999 :],
    }


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_what_is_not_complete_is_refused(sampling, coding):
    for name, data in damages(jpeg(sampling, *CODINGS[coding])).items():
        with pytest.raises(unusable.UnusableImageError) as caught:
            image_ops.normalise(data, **LIMITS)
        assert caught.value.reason == unusable.DAMAGED, name
        assert len(caught.value.detail) > 10, name


def test_zeros_behind_the_pixels_do_no_harm():
    data = jpeg("4x2")
    filled = data[:-2] + bytes(50) + data[-2:]
    result = image_ops.normalise(filled, **LIMITS)
    assert len(result.data) <= len(data)
    expected = np.asarray(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(Image.open(io.BytesIO(result.data)), expected)


def test_one_in_several_scans_is_told_as_not_read():
    with pytest.raises(unusable.UnusableImageError) as caught:
        image_ops.normalise(jpeg("4x2", "-interlace", "JPEG"), **LIMITS)
    assert (caught.value.reason, caught.value.detail) == (
        unusable.UNSUPPORTED, "JPEG with an unusual colour sampling and coding",
    )  # fmt: skip
