"""No pixel is invented, metadata costs no picture its place, TensorFlow reads what is used."""

import io
import struct
import zlib

import cv2
import hypothesis
import numpy as np
import odd_files
import pytest
import tensorflow as tf
from hypothesis import strategies as st
from PIL import Image, ImageFile

from preprocessing.images import image_ops, unusable

LIMITS = {"max_side_px": 1000, "jpeg_quality": 95, "max_pixels": 10_000_000}
SMALL = {**LIMITS, "max_side_px": 20}


def by_tensorflow(data: bytes) -> np.ndarray:
    """uint8 [H, W, 3], as evaluation and serving decode."""
    if data.startswith(b"\xff\xd8"):
        return tf.io.decode_jpeg(data, 3, dct_method="INTEGER_ACCURATE").numpy()
    return tf.io.decode_png(data, 3).numpy()


def by_pillow(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def complaints(data: bytes, capfd) -> str:
    """What libjpeg and libpng have to say of a file."""
    capfd.readouterr()
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) is not None
    return capfd.readouterr().err


@pytest.mark.parametrize("limits", [LIMITS, SMALL], ids=["whole", "shrunk"])
@pytest.mark.parametrize("name", sorted(odd_files.BROKEN))
def test_what_is_not_complete_is_refused_with_the_reason(name, limits):
    with pytest.raises(unusable.UnusableImageError) as caught:
        image_ops.normalise(odd_files.BROKEN[name], **limits)
    assert caught.value.reason == unusable.DAMAGED
    assert len(caught.value.detail) > 10


def test_a_jpeg_whose_header_tells_another_sampling_than_its_pixels_have_is_damaged():
    data = odd_files.saved(odd_files.PHOTO, "JPEG", subsampling=0)
    begin = data.index(b"\xff\xc0") + 11
    assert data[begin] == 0x11
    with pytest.raises(unusable.UnusableImageError) as caught:
        image_ops.normalise(data[:begin] + b"\x42" + data[begin + 1 :], **LIMITS)
    assert caught.value.reason == unusable.DAMAGED


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_progressive_picture_with_all_its_scans_is_used(mode):
    smooth = odd_files.PHOTO.resize((8, 6)).resize((200, 150)).convert(mode)
    data = odd_files.saved(smooth, "JPEG", progressive=True, quality=90)
    result = image_ops.normalise(data, **LIMITS)
    difference = by_pillow(result.data).astype(int) - by_pillow(data)
    assert np.abs(difference).max() <= 6


@pytest.mark.parametrize("name", sorted(odd_files.ODD))
def test_what_is_complete_is_used_with_all_its_pixels(name, capfd):
    data = odd_files.ODD[name]
    result = image_ops.normalise(data, **LIMITS)
    if name.startswith("jpeg"):
        expected = by_pillow(odd_files.JPEG)
    elif name == "png, a small window":
        expected = np.frombuffer(odd_files.RAW[:0] + _window_rows(), np.uint8).reshape(80, 400, 3)
    else:
        expected = odd_files.PIXELS
    np.testing.assert_array_equal(by_tensorflow(result.data), expected)
    np.testing.assert_array_equal(by_pillow(result.data), expected)
    assert complaints(result.data, capfd) == ""
    assert image_ops.normalise(result.data, **LIMITS) == result
    assert image_ops.read_header(data).format == result.format


def _window_rows() -> bytes:
    row = np.random.default_rng(0).integers(0, 256, (150, 200, 3), np.uint8).tobytes()[:1200]
    return row * 80


def test_a_profile_of_pixels_that_pass_is_told_to_nobody(capfd):
    data = odd_files.saved(odd_files.PHOTO, "PNG", icc_profile=bytes(200))
    result = image_ops.normalise(data, **LIMITS)
    np.testing.assert_array_equal(by_tensorflow(result.data), np.asarray(odd_files.PHOTO))
    assert complaints(result.data, capfd) == ""


@pytest.mark.parametrize(
    ("width", "height", "usable"), [(1_000_000, 1, True), (1_000_001, 1, False)]
)
def test_a_side_that_tensorflow_refuses_is_refused(width, height, usable):
    data = odd_files.png(width, height, 8, 0, zlib.compress(bytes(height * (width + 1))))
    if usable:
        assert by_tensorflow(image_ops.normalise(data, **LIMITS).data).shape == (1, width, 3)
        return
    with pytest.raises(unusable.UnusableImageError) as caught:
        image_ops.normalise(data, **LIMITS)
    assert caught.value.reason == unusable.TOO_LARGE
    assert "TensorFlow" in caught.value.detail


def test_a_small_file_that_unpacks_to_very_much_takes_no_memory_for_it():
    compressor = zlib.compressobj(9)
    piece = bytes(1 << 20)
    stream = b"".join(compressor.compress(piece) for _ in range(400)) + compressor.flush()
    assert len(stream) < 500_000
    with pytest.raises(unusable.UnusableImageError):
        image_ops.normalise(odd_files.png(60_000, 60_000, 1, 0, stream), **LIMITS)
    result = image_ops.normalise(odd_files.png(1000, 1, 8, 0, stream), **LIMITS)  # 400 MB too much
    np.testing.assert_array_equal(by_tensorflow(result.data), np.zeros((1, 1000, 3)))


@pytest.mark.parametrize("file_format", ["GIF", "BMP", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_cut_file_of_another_format_is_refused(file_format, share):
    data = odd_files.saved(odd_files.PHOTO, file_format)
    with pytest.raises(unusable.UnusableImageError) as caught:
        image_ops.normalise(data[: int(share * len(data))], **LIMITS)
    assert caught.value.reason == unusable.DAMAGED


@pytest.mark.parametrize("mode", ["RGB", "L", "YCbCr"])
def test_a_jpeg_inside_a_tiff_is_held_to_the_same(mode):
    data = odd_files.saved(odd_files.PHOTO.convert(mode), "TIFF", compression="jpeg")
    assert image_ops.normalise(data, **LIMITS).height == odd_files.PHOTO.height
    middle = len(data) // 2
    broken = data[:middle] + bytes(2000) + data[middle + 2000 :]
    with pytest.raises(unusable.UnusableImageError) as caught:
        image_ops.normalise(broken, **LIMITS)
    assert caught.value.detail.startswith("Corrupt JPEG data")


def test_rows_that_a_tiff_does_not_hold_are_missed():
    for options in ({}, {"compression": "tiff_lzw"}, {"compression": "packbits"}):
        data = odd_files.saved(odd_files.PHOTO, "TIFF", **options)
        kind = 3 if options else 4  # libtiff writes the height as SHORT, Pillow as LONG
        height = struct.pack("<HHII", 257, kind, 1, odd_files.PHOTO.height)
        assert height in data
        more = struct.pack("<HHII", 257, kind, 1, 2 * odd_files.PHOTO.height)
        with pytest.raises(unusable.UnusableImageError) as caught:
            image_ops.normalise(data.replace(height, more), **LIMITS)
        assert caught.value.reason == unusable.DAMAGED


def test_a_gif_whose_data_ends_early_is_refused():
    image = odd_files.PHOTO.convert("P")
    data = odd_files.saved(image, "GIF")
    start = data.index(b"\x2c", 13 + 768) + 11
    blocks, position = [], start
    while data[position]:
        blocks.append(data[position : position + 1 + data[position]])
        position += 1 + data[position]
    cut = data[:start] + b"".join(blocks[: len(blocks) // 2]) + data[position:]
    for broken in (cut, cut + data[13 + 768 :]):
        with pytest.raises(unusable.UnusableImageError):
            image_ops.normalise(broken, **LIMITS)


@hypothesis.settings(max_examples=200, deadline=None)
@hypothesis.given(
    source=st.sampled_from(["jpeg", "jpeg progressive", "png", "png interlaced"]),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=4),
    cut=st.tuples(st.floats(0, 1), st.integers(0, 40)),
)
def test_what_passes_is_what_pillow_and_tensorflow_see(source, flips, cut):
    image = odd_files.PHOTO.crop((0, 0, 48, 32))
    name, *options = source.upper().split()
    data = bytearray(odd_files.saved(image, name, progressive="PROGRESSIVE" in options))
    if source == "png interlaced":
        data = bytearray(odd_files.png(6, 5, stream=zlib.compress(interlaced(6, 5)), interlace=1))
    for place, value in flips:
        data[int(place * (len(data) - 1))] = value
    begin = int(cut[0] * len(data))
    data = bytes(data[:begin] + data[begin + cut[1] :])
    try:
        result = image_ops.normalise(data, **LIMITS)
    except unusable.UnusableImageError:
        return
    np.testing.assert_array_equal(by_tensorflow(result.data), by_pillow(result.data))
    if result.data == data:
        assert not ImageFile.LOAD_TRUNCATED_IMAGES
        assert by_pillow(data).shape == (result.height, result.width, 3)


def interlaced(width: int, height: int) -> bytes:
    """Rows of a white picture in the seven passes of Adam7, each with its filter."""
    result = b""
    for left, top, across, down in [
        (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
        (0, 1, 1, 2),
    ]:  # fmt: skip
        columns, rows = len(range(left, width, across)), len(range(top, height, down))
        result += (b"\0" + b"\xff" * (3 * columns)) * rows if columns else b""
    return result


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 3), (5, 1), (6, 5), (17, 9)])
def test_an_interlaced_picture_passes(width, height):
    stream = zlib.compress(interlaced(width, height))
    data = odd_files.png(width, height, stream=stream, interlace=1)
    result = image_ops.normalise(data, **LIMITS)
    assert result.data == data
    assert by_tensorflow(data).min() == 255
