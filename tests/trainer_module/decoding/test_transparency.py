"""Every colour type, depth and kind of transparency of PNG, against ImageMagick.

The preprocessing, and the served graph, must show the background where ImageMagick does.
"""

import io
import shutil
import struct
import subprocess
import zlib

import numpy as np
import pytest
import tensorflow as tf
from odd_files import chunk, png
from PIL import Image

from preprocessing.images import image_ops
from trainer_module.decoding import decode

BACKGROUND = (10, 200, 60)
LIMITS = {"max_side_px": 1000, "jpeg_quality": 95, "max_pixels": 10**7}
WIDTH, HEIGHT = 8, 5
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Colour type, depth, kind of transparency.
CASES = [
    *((0, depth, kind) for depth in (1, 2, 4, 8, 16) for kind in ("none", "key", "key high bits")),
    *((2, depth, kind) for depth in (8, 16) for kind in ("none", "key", "key high bits")),
    *((3, depth, kind) for depth in (1, 2, 4, 8) for kind in ("none", "alphas", "one", "too many")),
    *((color, depth, kind) for color in (4, 6) for depth in (8, 16) for kind in ("none", "key")),
]


def samples(color: int, depth: int) -> np.ndarray:
    """Values of every kind, and such that differ in their lowest bit: int64 [H, W, channels]."""
    most = (1 << depth) - 1
    values = np.random.default_rng(depth).integers(0, most + 1, (HEIGHT, WIDTH, CHANNELS[color]))
    values[0, 0] = values[0, 2] = min(most, 300)
    values[0, 1] = values[0, 0] ^ 1
    values[1, 0], values[1, 1] = 0, most
    return values


def transparency(color: int, depth: int, kind: str) -> bytes:
    values = samples(color, depth)[0, 0]
    if color == 3:
        entries = {"alphas": list(range(0, 1 << depth)), "one": [0, 128][: 1 << depth]}.get(kind)
        if kind == "too many":
            entries = [0] * ((1 << depth) + 3)
        return b"" if kind == "none" else chunk(b"tRNS", bytes(entries))
    high = 0x1200 if kind == "key high bits" and depth < 16 else 0
    body = b"".join(struct.pack(">H", int(value) | high) for value in values[: CHANNELS[color]])
    return b"" if kind == "none" else chunk(b"tRNS", body)


def picture(color: int, depth: int, kind: str) -> bytes:
    values = samples(color, depth)
    if depth == 16:
        rows = values.astype(">u2").reshape(HEIGHT, -1).view(np.uint8)
    elif depth == 8:
        rows = values.astype(np.uint8).reshape(HEIGHT, -1)
    else:
        bits = (values[..., 0, None] >> np.arange(depth - 1, -1, -1)) & 1
        rows = np.packbits(bits.reshape(HEIGHT, -1).astype(np.uint8), axis=1)
    stream = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    palette = np.random.default_rng(1).integers(0, 256, 3 << depth, np.uint8).tobytes()
    before = chunk(b"PLTE", palette) if color == 3 else b""
    return png(WIDTH, HEIGHT, depth, color, stream, before + transparency(color, depth, kind))


def by_imagemagick(data: bytes) -> np.ndarray:
    """int32 [H, W, 3], over the background."""
    program = shutil.which("magick") or shutil.which("convert")
    assert program, "ImageMagick must be installed (README, prerequisites of make test)"
    color = "rgb({},{},{})".format(*BACKGROUND)
    options = [
        "-set",
        "colorspace",
        "sRGB",
        "-type",
        "TrueColorAlpha",
        "-background",
        color,
        "-flatten",
        "-depth",
        "8",
        "rgb:-",
    ]
    done = subprocess.run(
        [program, "png:-", *options], input=data, capture_output=True, check=True, timeout=60
    )
    return np.frombuffer(done.stdout, np.uint8).reshape(HEIGHT, WIDTH, 3).astype(np.int32)


@pytest.mark.parametrize(("color", "depth", "kind"), CASES)
def test_what_is_transparent_shows_the_background(color, depth, kind):
    data = picture(color, depth, kind)
    result = image_ops.normalise(data, **LIMITS, background=BACKGROUND)
    prepared = np.asarray(Image.open(io.BytesIO(result.data)).convert("RGB"), np.int32)
    served = decode.decode(tf.constant(data), BACKGROUND).numpy().astype(np.int32)
    assert np.abs(served - prepared).max() <= 1
    # Of a key only as many bits count as a value has; ImageMagick leaves out one that has more.
    if kind != "key high bits" or depth == 16:
        # ImageMagick rounds 16 bits to 8, the others cut.
        assert np.abs(prepared - by_imagemagick(data)).max() <= 1 + (depth == 16)
    if kind.startswith("key") and color in (0, 2):
        assert prepared[0, 0].tolist() == prepared[0, 2].tolist() == list(BACKGROUND)
        assert prepared[0, 1].tolist() != list(BACKGROUND)


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "TIFF", "AVIF"])
def test_other_formats_show_the_background_too(file_format):
    image = Image.new("RGBA", (16, 16), (200, 10, 20, 255))
    image.paste((200, 10, 20, 0), (0, 0, 8, 16))
    buffer = io.BytesIO()
    options = {"lossless": True} if file_format == "WEBP" else {}
    image.save(buffer, file_format, **options)
    result = image_ops.normalise(buffer.getvalue(), **LIMITS, background=BACKGROUND)
    pixels = np.asarray(Image.open(io.BytesIO(result.data)).convert("RGB"), np.int32)
    tolerance = 6 if file_format == "AVIF" else 0  # which is lossy, and written as a JPEG
    assert np.abs(pixels[:, :4] - BACKGROUND).max() <= tolerance
    assert np.abs(pixels[:, 12:] - (200, 10, 20)).max() <= tolerance
