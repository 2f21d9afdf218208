"""A small corpus with everything in it that people's folders have."""

import io
import struct
import zlib
from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from PIL import Image


def picture(seed, width=40, height=30, mode="RGB"):
    noise = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def encode(image, file_format, **options):
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def huge_png():
    def chunk(kind, body):
        crc = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + crc

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def nasty_files():
    """Relative name -> bytes. Names that contain `bad` cannot be used."""
    turned = Image.Exif()
    turned[0x0112] = 6
    grey16 = Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 100)
    files = {
        "cat/plain.jpg": encode(picture(0), "JPEG"),
        "cat/grey.jpg": encode(picture(1, mode="L"), "JPEG"),
        "cat/cmyk.jpg": encode(picture(2, mode="CMYK"), "JPEG"),
        "cat/turned.jpg": encode(picture(3), "JPEG", exif=turned),
        "cat/progressive.jpg": encode(picture(4), "JPEG", progressive=True),
        "cat/UPPER.JPG": encode(picture(5, 300, 200), "JPEG"),
        "cat/plain.png": encode(picture(6), "PNG"),
        "cat/palette.png": encode(picture(7).quantize(16), "PNG"),
        "dog/alpha.png": encode(picture(8, mode="RGBA"), "PNG"),
        "dog/grey16.png": encode(grey16, "PNG"),
        "dog/picture.gif": encode(picture(9), "GIF"),
        "dog/picture.bmp": encode(picture(10), "BMP"),
        "dog/picture.webp": encode(picture(11), "WEBP"),
        "dog/a png.jpg": encode(picture(12), "PNG"),
        "dog/without ending": encode(picture(13), "JPEG"),
        "dog/köpek 犬 .jpg": encode(picture(14), "JPEG"),
        "dog/dot.png": encode(picture(15, 1, 1), "PNG"),
        "dog/thin.png": encode(picture(16, 3, 200), "PNG"),
        "çok güzel/bad cut.jpg": encode(picture(17), "JPEG")[:400],
        "çok güzel/bad cut.png": encode(picture(18), "PNG")[:300],
        "çok güzel/bad empty.png": b"",
        "çok güzel/bad text.jpg": b"This is not an image.\n",
        "çok güzel/bad huge.png": huge_png(),
        "çok güzel/picture.png": encode(picture(19), "PNG"),
    }
    files["dog/copy of plain.jpg"] = files["çok güzel/copy.jpg"] = files["cat/plain.jpg"]
    return files


SKIPPED = {
    "cat/.hidden.jpg": b"x",
    "cat/Thumbs.db": b"x",
    ".cache/picture.png": b"x",
    "labels.csv": b"x",
}


def write_tree(root: Path, files) -> Path:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


@pytest.fixture(scope="session")
def nasty_content():
    """Relative name -> bytes of the usable and unusable files; the dead link has none."""
    return nasty_files()


@pytest.fixture(scope="session")
def nasty_corpus(tmp_path_factory, nasty_content):
    """The corpus as a folder."""
    root = write_tree(tmp_path_factory.mktemp("nasty") / "corpus", nasty_content | SKIPPED)
    (root / "empty class").mkdir()
    (root / "çok güzel" / "bad link.jpg").symlink_to("/nowhere/picture.jpg")
    return root


@pytest.fixture
def small_corpus(tmp_path):
    """Two classes of 30 usable pictures each."""
    files = {
        f"{name}/{number}.png": encode(picture(1000 * label + number), "PNG")
        for label, name in enumerate(["a", "b"])
        for number in range(30)
    }
    return write_tree(tmp_path / "small", files)


@pytest.fixture(scope="session")
def make_pipeline():
    """Makes a maker of Beam pipelines, for a number of worker processes."""

    def maker(num_workers=1):
        mode = "in_memory" if num_workers == 1 else "multi_processing"
        options = [f"--direct_running_mode={mode}", f"--direct_num_workers={num_workers}"]
        return lambda: beam.Pipeline(options=PipelineOptions(options))

    return maker
