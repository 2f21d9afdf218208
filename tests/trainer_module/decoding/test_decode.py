"""Raw picture files in the graph, against what the preprocessing makes of the same files."""

import io
import struct

import bmp_files
import numpy as np
import pytest
import tensorflow as tf
from picture_files import FORMATS, RGB, big_endian_exif, picture_file
from PIL import Image

from preprocessing.images import image_ops
from trainer_module.data import eval_image
from trainer_module.decoding import decode

# Between two JPEG decoders, and once more through the encoder of the preprocessing.
JPEG_TOLERANCE = 6
BACKGROUND = (10, 200, 60)


def preprocessed(encoded: bytes) -> np.ndarray:
    """Pixels as the preprocessing writes them into a record: int32 [H, W, 3]."""
    result = image_ops.normalise(
        encoded, max_side_px=10_000, jpeg_quality=95, max_pixels=10**8, background=BACKGROUND
    )
    return np.asarray(Image.open(io.BytesIO(result.data)).convert("RGB"), np.int32)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_is_the_picture_of_the_preprocessing(name):
    encoded = picture_file(name)
    expected = preprocessed(encoded)
    result = decode.decode(tf.constant(encoded), BACKGROUND).numpy()
    assert result.dtype == np.uint8
    assert result.shape == expected.shape
    tolerance = JPEG_TOLERANCE if name.startswith("jpeg") else 1
    assert np.abs(result.astype(np.int32) - expected).max() <= tolerance


def gif(left: int, top: int, transparent: int | None, local: bool, more: bool) -> bytes:
    """A frame of 20 x 10 pixels on a screen of 40 x 30, and perhaps one that fills the screen."""

    def colors(seed: int) -> bytes:
        return np.random.default_rng(seed).integers(0, 256, 48, np.uint8).tobytes()

    def frame(left: int, top: int, width: int, height: int, table: bytes) -> bytes:
        pixels = np.random.default_rng(width).integers(0, 16, (height, width), np.uint8)
        buffer = io.BytesIO()
        image = Image.fromarray(pixels, "P")
        image.putpalette(colors(0))
        image.save(buffer, "GIF", optimize=False, interlace=0)
        saved = buffer.getvalue()
        body = saved[saved.index(b"\x2c", 13 + 3 * 16) + 10 : -1]
        flags = 0x83 if table else 0
        box = struct.pack("<HHHHB", left, top, width, height, flags)
        return b"\x2c" + box + table + body

    control = b"\x21\xf9\4" + bytes([transparent is not None, 0, 0, transparent or 0, 0])
    first = frame(left, top, 20, 10, colors(1) if local else b"")
    second = frame(0, 0, 40, 30, b"") if more else b""
    head = b"GIF89a" + struct.pack("<HHBBB", 40, 30, 0x83, 5, 0) + colors(0)
    return head + control + first + second + b";"


@pytest.mark.parametrize("more", [False, True])
@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("transparent", [None, 2, 200])
@pytest.mark.parametrize(("left", "top"), [(0, 0), (5, 7), (30, 25)])
def test_a_frame_of_a_gif_lies_where_it_belongs(left, top, transparent, local, more):
    encoded = gif(left, top, transparent, local, more)
    expected = preprocessed(encoded)
    assert expected.shape == (max(30, top + 10), max(40, left + 20), 3)
    result = decode.decode(tf.constant(encoded), BACKGROUND).numpy()
    np.testing.assert_array_equal(result, expected)


def test_the_limit_holds_for_what_a_frame_of_a_gif_needs():
    encoded = gif(30, 25, None, False, False)
    assert decode.decode(tf.constant(encoded), max_pixels=50 * 35).shape == (35, 50, 3)
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode.decode(tf.constant(encoded), max_pixels=50 * 35 - 1)


@pytest.mark.parametrize("mode", ["CMYK", "RGB"])
def test_a_jpeg_without_adobes_segment_is_read_as_the_preprocessing_does(mode):
    buffer = io.BytesIO()
    RGB.convert(mode).save(buffer, "JPEG", quality=95)
    data = buffer.getvalue()
    at = data.find(b"\xff\xee\0\x0eAdobe")
    assert (at > 0) == (mode == "CMYK")
    plain = data[:at] + data[at + 16 :] if at > 0 else data
    result = decode.decode(tf.constant(plain)).numpy().astype(np.int32)
    assert np.abs(result - preprocessed(plain)).max() <= JPEG_TOLERANCE


def test_is_the_same_eagerly_and_inside_tf_data():
    names = sorted(FORMATS)
    files = tf.constant([picture_file(name) for name in names])
    eager = [decode.decode(file).numpy() for file in files]
    dataset = tf.data.Dataset.from_tensor_slices(files).map(decode.decode, num_parallel_calls=2)
    for name, one, other in zip(names, eager, dataset.as_numpy_iterator(), strict=True):
        assert np.array_equal(one, other), name


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\xff\xd8\xff",
        b"BM",
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n",
        b"text",
        picture_file("jpeg exif 6")[:400],
        picture_file("png exif 5")[:60],
        picture_file("gif transparent")[:800],
        picture_file("bmp palette")[:1500],
        picture_file("bmp")[:1500],
    ],
)
def test_damaged_files_are_refused(damaged):
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode.decode(tf.constant(damaged))


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0",
        b"Exif\0\0MM",
        b"Exif\0\0MM\0*\xff\xff\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
        big_endian_exif(0),
        big_endian_exif(9)[:-9],
    ],
)
def test_an_exif_block_that_makes_no_sense_turns_nothing(exif):
    buffer = io.BytesIO()
    RGB.save(buffer, "JPEG", exif=exif)
    expected = decode.decode(tf.constant(picture_file("jpeg"))).numpy()
    assert np.array_equal(decode.decode(tf.constant(buffer.getvalue())).numpy(), expected)


def test_what_looks_like_exif_in_a_comment_turns_nothing():
    plain = picture_file("jpeg")
    comment = big_endian_exif(6)
    segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
    with_comment = plain[:2] + segment + plain[2:]
    expected = decode.decode(tf.constant(plain)).numpy()
    assert np.array_equal(decode.decode(tf.constant(with_comment)).numpy(), expected)


def records_and_raw(side: int, image_format: str) -> tuple[np.ndarray, np.ndarray]:
    """A large picture as evaluation sees its record, and as the exported model sees its file."""
    rows, columns = np.mgrid[0 : 2 * side, 0 : 3 * side]
    waves = [np.sin(rows / 9 + k) * np.cos(columns / 11) for k in range(3)]
    buffer = io.BytesIO()
    picture = (np.stack(waves, -1) * 100 + 128).astype(np.uint8)
    Image.fromarray(picture).save(buffer, image_format, quality=95)
    raw = buffer.getvalue()
    record = image_ops.normalise(raw, max_side_px=side, jpeg_quality=95, max_pixels=10**8).data
    return (
        eval_image.eval_image(tf.constant(record), 48).numpy().astype(np.int32),
        eval_image.eval_image(tf.constant(raw), 48, eval_image.FileOptions(max_side_px=side))
        .numpy()
        .astype(np.int32),
    )


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_a_large_file_is_shrunk_as_its_record_was(image_format):
    record, raw = records_and_raw(64, image_format)
    # The record went through a JPEG once more.
    assert np.abs(record - raw).mean() < 2
    assert np.abs(record - raw).max() <= 12


# docs/serving.md names them: what `effnet predict` converts and a server's client must convert.
def is_documented_as_not_read(name: str) -> bool:
    return (
        name.startswith("12 bytes") or "masks" in name or "runs" in name or name.endswith("16 bits")
    )


@pytest.mark.parametrize("name", bmp_files.BMPS)
def test_a_bmp_is_the_picture_of_the_preprocessing_or_documented_as_not_read(name):
    encoded = bmp_files.BMPS[name]
    expected = preprocessed(encoded)
    if is_documented_as_not_read(name):
        with pytest.raises(tf.errors.InvalidArgumentError):
            decode.decode(tf.constant(encoded), BACKGROUND)
        return
    result = decode.decode(tf.constant(encoded), BACKGROUND).numpy()
    np.testing.assert_array_equal(result, expected)
