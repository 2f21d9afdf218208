"""A small corpus with everything in it that people's folders have, good and bad.

Real files, made with Pillow, and by hand where Pillow cannot write them. A name that contains
`bad` cannot be used; `REASONS` says why.
"""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from PIL import Image

CLASS_NAMES = ["cat", "dog", "one picture", "çok güzel"]
# Listed, and unreadable: a link to nowhere, and a file that vanishes after it was listed.
DEAD_LINK = "çok güzel/bad link.jpg"
VANISHING = "dog/bad and gone.jpg"

REASONS = {
    "çok güzel/bad cut.jpg": "damaged or truncated",
    "çok güzel/bad cut.png": "damaged or truncated",
    "çok güzel/bad cut.gif": "damaged or truncated",
    "çok güzel/bad cut.webp": "damaged or truncated",
    "çok güzel/bad cut.bmp": "damaged or truncated",
    "çok güzel/bad sum.png": "damaged or truncated",
    "çok güzel/bad header.jpg": "damaged or truncated",
    "çok güzel/bad empty.png": "empty file",
    "çok güzel/bad text.jpg": "unknown format",
    "çok güzel/bad heic.jpg": "unsupported format",
    "çok güzel/bad page.jpg": "unsupported format",
    "çok güzel/bad half.png": "damaged or truncated",
    "çok güzel/bad half.jpg": "damaged or truncated",
    "çok güzel/bad huge.png": "too many pixels",
    DEAD_LINK: "unreadable file",
    VANISHING: "unreadable file",
}

# Usable files that come out byte for byte.
PASS_THROUGH = {
    "cat/plain.jpg",
    "cat/grey.jpg",
    "cat/plain.png",
    "cat/broken exif.jpg",
    "dog/a png.jpg",
    "dog/copy of plain.jpg",
    "dog/without ending",
    "dog/köpek 犬 .jpg",
    "dog/dot.png",
    "dog/copy of dot.png",
    "dog/thin.png",
    "one picture/alone.png",
    "çok güzel/copy.jpg",
    "çok güzel/picture.png",
}

SKIPPED = {
    "cat/.hidden.jpg": b"x",
    "cat/Thumbs.db": b"x",
    ".cache/picture.png": b"x",
    "labels.csv": b"x",
}


def picture(seed: int, width: int = 40, height: int = 30, mode: str = "RGB") -> Image.Image:
    """A smooth picture that depends on `seed`."""
    noise = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def encode(image: Image.Image, file_format: str, **options) -> bytes:
    """The bytes of an image file."""
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def png_file(
    width: int, height: int, bit_depth: int, color_type: int, idat: bytes, key: bytes = b""
) -> bytes:
    """A PNG of compressed rows; `key` is the content of a tRNS chunk."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        sums = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + sums

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bit_depth, color_type, 0, 0, 0))
    transparent = chunk(b"tRNS", key) if key else b""
    rest = chunk(b"IDAT", idat) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + transparent + rest


def huge_png(side_px: int = 30_000) -> bytes:
    """A complete and valid one-bit PNG of 30,000 x 30,000 pixels: 110 kB, 900 million pixels."""
    compressor = zlib.compressobj(9)
    row = b"\0" + b"\0" * ((side_px + 7) // 8)
    body = b"".join(compressor.compress(row * 100) for _ in range(side_px // 100))
    return png_file(side_px, side_px, 1, 0, body + compressor.flush())


def sixteen_bit(values: np.ndarray, key: bytes = b"") -> bytes:
    """A 16-bit PNG; values: uint16 [height, width, 1, 2, 3 or 4 channels]."""
    height, width, channels = values.shape
    rows = values.astype(">u2").reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    color_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    return png_file(width, height, 16, color_type, zlib.compress(raw), key)


def _usable() -> dict[str, bytes]:
    turned = Image.Exif()
    turned[0x0112] = 6
    values = np.random.default_rng(0).integers(0, 2**16, (20, 30, 4), np.uint16)
    transparent = picture(20, mode="RGBA")
    transparent.putalpha(Image.linear_gradient("L").resize(transparent.size))
    frames = {"save_all": True, "append_images": [picture(21)]}
    return {
        "cat/plain.jpg": encode(picture(0), "JPEG"),
        "cat/grey.jpg": encode(picture(1, mode="L"), "JPEG"),
        "cat/cmyk.jpg": encode(picture(2, mode="CMYK"), "JPEG"),
        "cat/turned.jpg": encode(picture(3), "JPEG", exif=turned),
        "cat/broken exif.jpg": encode(picture(22), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"),
        "cat/progressive.jpg": encode(picture(4), "JPEG", progressive=True),
        "cat/UPPER.JPG": encode(picture(5, 300, 200), "JPEG"),
        "cat/plain.png": encode(picture(6), "PNG"),
        "cat/palette.png": encode(picture(7).quantize(16), "PNG"),
        "cat/clear palette.png": encode(picture(7).quantize(16), "PNG", transparency=3),
        "cat/bits.png": encode(picture(23, mode="1"), "PNG"),
        "dog/alpha.png": encode(transparent, "PNG"),
        "dog/grey alpha.png": encode(transparent.convert("LA"), "PNG"),
        "dog/grey16.png": sixteen_bit(values[..., :1]),
        "dog/grey16 key.png": sixteen_bit(values[..., :1], values[0, 0, 0].astype(">u2").tobytes()),
        "dog/grey16 alpha.png": sixteen_bit(values[..., :2]),
        "dog/rgb16.png": sixteen_bit(values[..., :3]),
        "dog/rgba16.png": sixteen_bit(values),
        "dog/animated.png": encode(picture(24), "PNG", **frames),
        "dog/picture.gif": encode(picture(9), "GIF"),
        "dog/animated.GIF": encode(picture(25), "GIF", **frames),
        "dog/picture.bmp": encode(picture(10), "BMP"),
        "dog/picture.webp": encode(picture(11), "WEBP"),
        "dog/lossless.webp": encode(transparent, "WEBP", lossless=True),
        "dog/animated.webp": encode(picture(26), "WEBP", **frames),
        "dog/two pictures.jpg": encode(picture(27), "MPO", **frames),
        "dog/a tiff.jpg": encode(picture(33), "TIFF"),
        "dog/picture.avif": encode(picture(36), "AVIF"),
        "dog/a png.jpg": encode(picture(12), "PNG"),
        "dog/without ending": encode(picture(13), "JPEG"),
        "dog/köpek 犬 .jpg": encode(picture(14), "JPEG"),
        "dog/dot.png": encode(picture(15, 1, 1), "PNG"),
        "dog/thin.png": encode(picture(16, 3, 2000), "PNG"),
        "one picture/alone.png": encode(picture(28), "PNG"),
        "çok güzel/picture.png": encode(picture(19), "PNG"),
    }


def _unusable() -> dict[str, bytes]:
    sum_wrong = bytearray(encode(picture(29), "PNG"))
    sum_wrong[-20] ^= 1  # in the checksum of the pixels
    return {
        "çok güzel/bad cut.jpg": encode(picture(17), "JPEG")[:400],
        "çok güzel/bad cut.png": encode(picture(18), "PNG")[:300],
        "çok güzel/bad cut.gif": encode(picture(30), "GIF")[:900],
        "çok güzel/bad cut.webp": encode(picture(31), "WEBP")[:100],
        "çok güzel/bad cut.bmp": encode(picture(32), "BMP")[:500],
        "çok güzel/bad sum.png": bytes(sum_wrong),
        "çok güzel/bad header.jpg": b"\xff\xd8\xff\xe0 no more",
        "çok güzel/bad empty.png": b"",
        "çok güzel/bad text.jpg": b"This is not an image.\n",
        "çok güzel/bad heic.jpg": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100),
        "çok güzel/bad page.jpg": b"<!DOCTYPE html>\n<html><body>404</body></html>\n",
        "çok güzel/bad half.png": png_file(60, 44, 8, 2, zlib.compress(bytes(181 * 22))),
        "çok güzel/bad half.jpg": encode(picture(35), "JPEG")[:800] + b"\xff\xd9",
        "çok güzel/bad huge.png": huge_png(),
    }


def nasty_files() -> dict[str, bytes]:
    """Relative name to bytes, of all files that can be read."""
    files = _usable() | _unusable()
    # One more with its own label, and one with another.
    files["dog/copy of plain.jpg"] = files["çok güzel/copy.jpg"] = files["cat/plain.jpg"]
    files["dog/copy of dot.png"] = files["dog/dot.png"]
    return files


def write_tree(root: Path, files: dict[str, bytes]) -> Path:
    """Writes files below a folder."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def write_nasty_corpus(root: Path, files: dict[str, bytes]) -> Path:
    """Writes the corpus: the files, what is to be skipped, an empty class and a dead link."""
    write_tree(root, files | SKIPPED)
    (root / "empty class").mkdir()
    (root / DEAD_LINK).symlink_to("/nowhere/picture.jpg")
    return root


def with_a_vanishing_file(
    corpus: Path, make_pipeline: Callable[[], beam.Pipeline]
) -> Callable[[], beam.Pipeline]:
    """Adds `VANISHING` to the corpus, and lets it go between listing and reading.

    Ingestion lists the files before it asks for its Beam pipeline.
    """
    path = corpus / VANISHING
    path.write_bytes(encode(picture(34), "JPEG"))

    def maker() -> beam.Pipeline:
        path.unlink(missing_ok=True)
        return make_pipeline()

    return maker


@pytest.fixture(scope="session")
def make_pipeline() -> Callable[..., Callable[[], beam.Pipeline]]:
    """Makes a maker of Beam pipelines, for a number of worker processes; 1: in memory."""

    def maker(num_workers: int = 1) -> Callable[[], beam.Pipeline]:
        mode = "in_memory" if num_workers == 1 else "multi_processing"
        options = [f"--direct_running_mode={mode}", f"--direct_num_workers={num_workers}"]
        return lambda: beam.Pipeline(options=PipelineOptions(options))

    return maker


@pytest.fixture(scope="session")
def nasty_content() -> dict[str, bytes]:
    """Relative name to bytes of the files that can be read."""
    return nasty_files()


@pytest.fixture(scope="session")
def nasty_corpus(tmp_path_factory, nasty_content) -> Path:
    """The corpus as a folder."""
    return write_nasty_corpus(tmp_path_factory.mktemp("nasty") / "corpus", nasty_content)


@pytest.fixture
def small_corpus(tmp_path) -> Path:
    """Two classes of 30 usable pictures each."""
    files = {
        f"{name}/{number}.png": encode(picture(1000 * label + number), "PNG")
        for label, name in enumerate(["a", "b"])
        for number in range(30)
    }
    return write_tree(tmp_path / "small", files)
