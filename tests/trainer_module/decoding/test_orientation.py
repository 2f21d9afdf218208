"""EXIF orientation: preprocessing, serving and training turn the same files the same way."""

import io
import struct
import zlib

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st
from odd_files import JPEG, PHOTO, chunk, png, saved, segment
from PIL import Image

from preprocessing.images import image_ops
from preprocessing.images import orientation as of_files
from trainer_module.data.train_images import Augmentation, train_images
from trainer_module.decoding import decode
from trainer_module.decoding import orientation as in_graph

LIMITS = {"max_side_px": 1000, "jpeg_quality": 95, "max_pixels": 10**7}
BYTE, SHORT, LONG, SBYTE, SSHORT, SLONG = 1, 3, 4, 6, 8, 9
FORMATS = {BYTE: "Bxxx", SHORT: "Hxx", LONG: "I", SBYTE: "Bxxx", SSHORT: "Hxx", SLONG: "I"}


def exif(orientation: int, kind: int = SHORT, order: str = "<", values: int = 1) -> bytes:
    """An EXIF block from its TIFF header on, with a maker in front of the orientation."""
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8)
    maker = struct.pack(f"{order}HHI4s", 0x010F, 2, 4, b"abc\0")
    value = struct.pack(f"{order}{FORMATS[kind]}", orientation)
    entry = struct.pack(f"{order}HHI", 0x0112, kind, values) + value
    return head + struct.pack(f"{order}H", 2) + maker + entry + bytes(4)


def hexadecimal(block: bytes) -> bytes:
    digits = block.hex()
    lines = [digits[at : at + 72] for at in range(0, len(digits), 72)]
    return f"\nexif\n{len(block):8}\n".encode() + "\n".join(lines).encode() + b"\n"


def raw_profile(block: bytes, *, name: bytes = b"exif", packed: bool = True) -> bytes:
    """A text chunk as ImageMagick writes it."""
    keyword, text = b"Raw profile type " + name + b"\0", hexadecimal(b"Exif\0\0" + block)
    if packed:
        return chunk(b"zTXt", keyword + b"\0" + zlib.compress(text))
    return chunk(b"tEXt", keyword + text)


WAYS = {
    "jpeg": lambda block: JPEG[:2] + segment(0xE1, b"Exif\0\0" + block) + JPEG[2:],
    "jpeg, behind 300 kB of profiles": lambda block: (
        JPEG[:2] + segment(0xE2, bytes(65_000)) * 5 + segment(0xE1, b"Exif\0\0" + block) + JPEG[2:]
    ),
    "jpeg, bytes between segments": lambda block: (
        JPEG[:20] + b"ab\xff\xff" + segment(0xE1, b"Exif\0\0" + block)[1:] + JPEG[20:]
    ),
    "png": lambda block: png(before=chunk(b"eXIf", block)),
    "png, behind the pixels": lambda block: png(after=chunk(b"eXIf", block)),
    "png, with a name": lambda block: png(before=chunk(b"eXIf", b"Exif\0\0" + block)),
    "png, raw profile": lambda block: png(before=raw_profile(block)),
    "png, raw profile behind": lambda block: png(after=raw_profile(block)),
    "png, raw profile not packed": lambda block: png(before=raw_profile(block, packed=False)),
    "png, raw profile APP1": lambda block: png(before=raw_profile(block, name=b"APP1")),
    "png, the chunk counts": lambda block: png(before=raw_profile(exif(3)) + chunk(b"eXIf", block)),
}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [BYTE, SHORT, LONG])
@pytest.mark.parametrize("way", sorted(WAYS))
def test_preprocessing_serving_and_training_agree(way, kind, order):
    for orientation in (6, 2):
        data = WAYS[way](exif(orientation, kind, order))
        result = image_ops.normalise(data, **LIMITS)
        prepared = np.asarray(Image.open(io.BytesIO(result.data)), np.int32)
        served = decode.decode(tf.constant(data)).numpy()
        original = np.asarray(PHOTO if way.startswith("jpeg") else PHOTO.crop((0, 0, 60, 44)))
        expected = {6: np.rot90(original, -1), 2: original[:, ::-1]}[orientation]
        assert prepared.shape == served.shape == expected.shape
        tolerance = 60 if way.startswith("jpeg") else 0  # the noise went through two JPEGs
        assert np.abs(prepared - expected).mean() <= tolerance
        assert np.abs(prepared - served).mean() <= tolerance / 5
        [trained] = train_images(
            tf.constant([data]),
            tf.constant([[1, 2]]),
            Augmentation(40, crop_min_area=0.999, random_flip=False),
        ).numpy()
        [again] = train_images(
            tf.constant([tf.io.encode_png(served).numpy()]),
            tf.constant([[1, 2]]),
            Augmentation(40, crop_min_area=0.999, random_flip=False),
        ).numpy()
        np.testing.assert_array_equal(trained, again)


@pytest.mark.parametrize(
    ("front", "counts"),
    [
        (b"", True),
        (segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"), True),
        (segment(0xE0, b"JFXX\0"), True),
        (segment(0xFE, b"a comment"), True),
        (segment(0xE2, bytes(500)) + segment(0xFE, b"x") + segment(0xED, b"y"), True),
        (b"\xff\x01", True),  # a marker without a length
        (JPEG[20:89], False),  # a table
        (JPEG[2:89], False),
    ],
)
def test_exif_of_a_jpeg_counts_in_front_of_the_tables(front, counts):
    assert JPEG[20:22] == b"\xff\xdb"
    assert JPEG[22] * 256 + JPEG[23] == 67
    data = b"\xff\xd8" + front + segment(0xE1, b"Exif\0\0" + exif(6)) + JPEG[20:]
    expected = (200, 150) if counts else (150, 200)
    result = image_ops.normalise(data, **LIMITS)
    assert (result.height, result.width) == expected
    assert decode.decode(tf.constant(data)).shape[:2] == expected


def test_webp_and_avif():
    for file_format in ("WEBP", "AVIF"):
        for block in (exif(6), exif(6, LONG, ">")):
            data = saved(PHOTO, file_format, exif=b"Exif\0\0" + block)
            assert image_ops.normalise(data, **LIMITS).height == PHOTO.width


def test_tiff():
    data = saved(PHOTO, "TIFF", tiffinfo={274: 6})
    result = image_ops.normalise(data, **LIMITS)
    pixels = np.asarray(Image.open(io.BytesIO(result.data)))
    np.testing.assert_array_equal(pixels, np.rot90(np.asarray(PHOTO), -1))


def test_xmp_turns_nothing():
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="6"/>'
    data = JPEG[:2] + segment(0xE1, xmp) + JPEG[2:]
    assert image_ops.normalise(data, **LIMITS).data == data
    assert decode.decode(tf.constant(data)).shape == (150, 200, 3)


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (exif(8), 8),
        (exif(8, LONG, ">"), 8),
        (exif(6, SBYTE), 6),
        (exif(6, SSHORT, ">"), 6),
        (exif(6, SLONG), 6),
        (exif(9), 1),
        (exif(0), 1),
        (exif(6, SHORT, values=2), 1),
        (exif(6).replace(b"\x12\x01\x03\0", b"\x12\x01\x05\0"), 1),  # a RATIONAL
        (exif(6)[:30], 1),
        (exif(6)[:33], 1),
        (b"Exif\0\0" + exif(6), 6),
        (b"II+\0" + exif(6)[4:], 1),
        (b"", 1),
        (b"MM", 1),
    ],
)
def test_what_counts(block, expected):
    assert of_files.of_exif(block) == expected
    assert int(in_graph.of_exif(tf.constant(block))) == expected


@hypothesis.settings(max_examples=200, deadline=None)
@hypothesis.given(
    orientation=st.integers(0, 255),
    kind=st.sampled_from([BYTE, SHORT, LONG, SBYTE, SSHORT, SLONG]),
    order=st.sampled_from(["<", ">"]),
    flips=st.lists(st.tuples(st.integers(0, 37), st.integers(0, 255)), max_size=3),
    keep=st.integers(0, 60),
)
def test_both_readers_agree_on_any_block(orientation, kind, order, flips, keep):
    block = bytearray(exif(orientation, kind, order))
    for at, value in flips:
        block[at] = value
    block = bytes(block[:keep])
    assert int(in_graph.of_exif(tf.constant(block))) == of_files.of_exif(block)
