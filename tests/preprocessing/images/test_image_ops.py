"""Files of every kind in, plain upright 8-bit files out."""

import struct
import zlib

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st
from nasty_corpus import encode, sixteen_bit
from PIL import Image

from preprocessing.images import colors, image_ops, unusable

LIMITS = {"max_side_px": 64, "jpeg_quality": 95, "max_pixels": 1_000_000}


def gradient(width=48, height=32, mode="RGB"):
    """A smooth picture, so that JPEG stays close to it; its corner [0, 0] is the darkest."""
    rows, columns = np.mgrid[0:height, 0:width]
    ramp = (rows + columns) / max(1, rows.max() + columns.max()) * 200 + 20
    rgb = np.stack([ramp, ramp / 2, 255 - ramp], axis=-1).astype(np.uint8)
    return Image.fromarray(rgb).convert(mode)


def decode(encoded):
    """uint8 [height, width, 3], by TensorFlow, as the trainer reads it."""
    return tf.io.decode_image(encoded.data, channels=3, expand_animations=False).numpy()


def huge_png_header(width=30_000, height=30_000):
    def chunk(kind, body):
        crc = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + crc

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 100)
    return b"".join(
        [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    )


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(("file_format", "name"), [("JPEG", "jpeg"), ("PNG", "png")])
def test_plain_small_files_pass_byte_for_byte(mode, file_format, name):
    data = encode(gradient(mode=mode), file_format)
    result = image_ops.normalise(data, **LIMITS)
    assert result == image_ops.EncodedImage(data, name, 32, 48)


@pytest.mark.parametrize(
    ("data", "expected_format"),
    [
        (encode(gradient(), "JPEG", progressive=True), "jpeg"),
        (encode(gradient(mode="CMYK"), "JPEG"), "jpeg"),
        (encode(gradient(), "WEBP", quality=95), "jpeg"),
        (encode(gradient(), "WEBP", lossless=True), "png"),
        (encode(gradient(), "BMP"), "png"),
        (encode(gradient(), "TIFF"), "png"),
        (encode(gradient(), "TIFF", compression="tiff_lzw"), "png"),
        (encode(gradient(), "TIFF", compression="jpeg"), "jpeg"),
        (encode(gradient(), "AVIF"), "jpeg"),
        (encode(gradient(), "GIF"), "png"),
        (encode(gradient().quantize(256), "PNG"), "png"),
        (encode(gradient(mode="RGBA"), "PNG"), "png"),
        (encode(gradient(), "JPEG") + b"trailing", "jpeg"),
    ],
    ids=[
        "progressive",
        "cmyk",
        "webp",
        "webp-lossless",
        "bmp",
        "tiff",
        "tiff-lzw",
        "tiff-jpeg",
        "avif",
        "gif",
        "palette",
        "alpha",
        "tail",
    ],
)
def test_other_files_are_encoded_anew_and_look_the_same(data, expected_format):
    result = image_ops.normalise(data, **LIMITS)
    assert result.format == expected_format
    assert result.data != data
    difference = np.abs(decode(result).astype(int) - np.asarray(gradient()).astype(int))
    assert difference.mean() < 8  # palettes of 256 colours are the coarsest
    again = image_ops.normalise(result.data, **LIMITS)
    assert again == result  # what was normalised once passes


def test_shrinks_the_shorter_side_and_keeps_the_aspect():
    for file_format in ("JPEG", "PNG"):
        result = image_ops.normalise(encode(gradient(400, 200), file_format), **LIMITS)
        assert (result.format, result.height, result.width) == ("jpeg", 64, 128)
        expected = np.asarray(gradient(128, 64)).astype(int)
        assert np.abs(decode(result).astype(int) - expected).mean() < 4


def test_antialiases():
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    result = image_ops.normalise(encode(Image.fromarray(stripes), "PNG"), **LIMITS)
    assert np.abs(decode(result).astype(int) - 128).max() < 12


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(gradient(), "JPEG", exif=exif, quality=95)
    pixels = decode(image_ops.normalise(data, **LIMITS)).astype(int)
    # Where the stored first row and first column are to be shown, as the EXIF standard says.
    row_side = {1: "top", 2: "top", 3: "bottom", 4: "bottom", 5: "left", 6: "right", 7: "right"}
    side = row_side.get(orientation, "left")
    assert pixels.shape[:2] == ((32, 48) if side in ("top", "bottom") else (48, 32))
    dark = np.unravel_index(pixels[..., 0].argmin(), pixels.shape[:2])
    corner = {
        1: ("top", "left"),
        2: ("top", "right"),
        3: ("bottom", "right"),
        4: ("bottom", "left"),
        5: ("top", "left"),
        6: ("top", "right"),
        7: ("bottom", "right"),
        8: ("bottom", "left"),
    }[orientation]
    assert (dark[0] < pixels.shape[0] / 2) == (corner[0] == "top")
    assert (dark[1] < pixels.shape[1] / 2) == (corner[1] == "left")


def test_a_broken_exif_block_does_not_matter():
    data = encode(gradient(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert image_ops.normalise(data, **LIMITS).data == data


def test_alpha_goes_over_white():
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    clear.putpixel((1, 2), (200, 10, 20, 255))
    pixels = decode(image_ops.normalise(encode(clear, "PNG"), **LIMITS))
    assert pixels[2, 1].tolist() == [200, 10, 20]
    assert pixels[0, 0].tolist() == [255, 255, 255]


def test_transparent_palette_and_colour_key_go_over_white():
    for mode in ("L", "P"):
        image = Image.new(mode, (4, 4), 0)
        data = encode(image, "PNG", transparency=0)
        pixels = decode(image_ops.normalise(data, **LIMITS))
        assert pixels.min() == 255


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGBA", (4, 4), (200, 10, 20, 0)),
        Image.new("LA", (4, 4), (200, 0)),
        Image.new("RGBA", (4, 4), (200, 10, 20, 0)).quantize(2),
    ],
    ids=["rgba", "grey", "palette"],
)
@pytest.mark.parametrize("file_format", ["PNG", "GIF", "WEBP"])
def test_alpha_goes_over_the_configured_background(image, file_format):
    options = {"lossless": True} if file_format == "WEBP" else {}
    if file_format != "PNG":
        image = image.convert("RGBA")
    data = encode(image, file_format, **options)
    result = image_ops.normalise(data, **LIMITS, background=(10, 20, 30))
    assert np.unique(decode(result).reshape(-1, 3), axis=0).tolist() == [[10, 20, 30]]


def test_half_transparent_pixels_are_mixed_with_the_background():
    data = encode(Image.new("RGBA", (4, 4), (200, 100, 0, 128)), "PNG")
    pixels = decode(image_ops.normalise(data, **LIMITS, background=(0, 0, 200)))
    np.testing.assert_allclose(pixels[0, 0], [100, 50, 100], atol=1)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bit_pictures_give_their_high_bytes(channels):
    values = np.random.default_rng(0).integers(0, 2**16, (6, 5, channels), np.uint16)
    if channels in (2, 4):
        values[..., -1] = 65_535  # opaque
    pixels = decode(image_ops.normalise(sixteen_bit(values), **LIMITS))
    color = (values >> 8)[..., : channels - (channels in (2, 4))]
    np.testing.assert_array_equal(pixels, np.broadcast_to(color, (6, 5, 3)))


def test_the_transparent_value_of_sixteen_bit_grey_is_compared_in_full():
    values = np.array([[[512], [513]]], np.uint16)  # equal in their high bytes
    data = sixteen_bit(values, key=(512).to_bytes(2, "big"))
    pixels = decode(image_ops.normalise(data, **LIMITS, background=(9, 8, 7)))
    assert pixels.tolist() == [[[9, 8, 7], [2, 2, 2]]]


@pytest.mark.parametrize(
    ("value", "color"),
    [
        ("white", (255, 255, 255)),
        ("#0a141e", (10, 20, 30)),
        ([1, 2, 3], (1, 2, 3)),
    ],
)
def test_colors(value, color):
    assert colors.parse_color(value) == color
    assert colors.parse_color(colors.color_code(color)) == color


@pytest.mark.parametrize(
    "value", ["none", "#12345678", [1, 2], [1, 2, 256], [1, 2, True], [1, 2, 0.5]]
)
def test_what_is_no_color(value):
    with pytest.raises(ValueError, match="a colour must be"):
        colors.parse_color(value)


def test_sixteen_bit_grey_keeps_its_range():
    values = np.linspace(0, 65_535, 64).reshape(8, 8).astype(np.uint16)
    pixels = decode(image_ops.normalise(encode(Image.fromarray(values), "PNG"), **LIMITS))
    np.testing.assert_array_equal(pixels[..., 0], values >> 8)


def test_gif_gives_its_first_frame():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode(image_ops.normalise(data, **LIMITS))[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", unusable.EMPTY),
        (b"not an image at all", unusable.UNKNOWN_FORMAT),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", unusable.UNSUPPORTED),
        (encode(gradient(), "JPEG")[:700], unusable.DAMAGED),
        (encode(gradient(), "PNG")[:200], unusable.DAMAGED),
        (encode(gradient(), "JPEG")[:100], unusable.DAMAGED),
        (encode(gradient(), "PNG")[:20], unusable.DAMAGED),
        (huge_png_header(), unusable.TOO_LARGE),
    ],
    ids=["empty", "text", "heic", "cut-jpeg", "cut-png", "no-jpeg", "no-png", "huge"],
)
def test_unusable_files_say_why(data, reason):
    with pytest.raises(unusable.UnusableImageError) as caught:
        image_ops.normalise(data, **LIMITS)
    assert caught.value.reason == reason
    assert "\n" not in caught.value.detail


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "AVIF"])
def test_the_limit_of_pixels_is_the_argument_and_no_setting_of_the_process(
    file_format, monkeypatch, recwarn
):
    assert Image.MAX_IMAGE_PIXELS is not None  # nobody has switched it off
    data = encode(gradient(), file_format)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert image_ops.normalise(data, **LIMITS).height == 32
    assert image_ops.small_pixels(data, max_side_px=8, max_pixels=10_000).size == (12, 8)
    warned = [w.message for w in recwarn.list if w.category is Image.DecompressionBombWarning]
    assert warned == []
    with pytest.raises(unusable.UnusableImageError, match="too many pixels: 48 x 32"):
        image_ops.normalise(data, **{**LIMITS, "max_pixels": 32 * 48 - 1})
    with pytest.raises(unusable.UnusableImageError, match="too many pixels: 48 x 32"):
        image_ops.small_pixels(data, max_side_px=8, max_pixels=32 * 48 - 1)


def test_of_a_tiff_pillow_has_a_limit_as_well(monkeypatch):
    data = encode(gradient(), "TIFF")
    with pytest.raises(unusable.UnusableImageError, match="too many pixels: 48 x 32"):
        image_ops.normalise(data, **{**LIMITS, "max_pixels": 32 * 48 - 1})
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(unusable.UnusableImageError, match=r"too many pixels: .* limit of 200"):
        image_ops.normalise(data, **LIMITS)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"\xff\x0a" + bytes(40), "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40), "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40), "JPEG 2000"),
        (b"8BPS\0\1" + bytes(40), "PSD"),
        (b"%PDF-1.7\n", "PDF"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x"/>', "SVG"),
        (b"\n<!doctype html><html>", "HTML"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "video"),
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(40), "camera raw"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
        (encode(gradient(), "TIFF", tiffinfo={254: 1}), "camera raw"),
        (encode(Image.new("F", (8, 8)), "TIFF"), "32 bits"),
    ],
)
def test_formats_that_are_not_read_are_named(data, name):
    with pytest.raises(unusable.UnusableImageError) as caught:
        image_ops.normalise(data, **LIMITS)
    assert caught.value.reason == unusable.UNSUPPORTED
    assert name in caught.value.detail


def test_an_avif_of_any_brand_is_read():
    data = encode(gradient(), "AVIF")
    assert data[4:12] == b"ftypavif"
    other = data[:8] + b"mif1" + data[12:]  # its other brands still say avif
    assert image_ops.normalise(other, **LIMITS).height == 32


def test_the_first_picture_of_an_mpo_is_the_jpeg_that_it_is():
    first, second = gradient(), gradient().rotate(180)
    data = encode(first, "MPO", save_all=True, append_images=[second])
    assert len(data) > 1.8 * len(encode(first, "JPEG"))
    result = image_ops.normalise(data, **LIMITS)
    assert (result.format, result.height, result.width) == ("jpeg", 32, 48)
    assert len(result.data) < len(data) / 1.8
    expected = tf.io.decode_image(encode(first, "JPEG"), channels=3).numpy()
    np.testing.assert_array_equal(decode(result), expected)


def twelve_bits(height=40, width=60):
    """What an industrial camera writes: 12 bits in 16, and a few hot pixels."""
    values = np.random.default_rng(0).integers(500, 3500, (height, width), np.uint16)
    values[0, :5] = 65_535
    return values


def test_twelve_bits_in_sixteen_can_be_stretched():
    data = sixteen_bit(twelve_bits()[..., None])
    dark = decode(image_ops.normalise(data, **LIMITS))
    bright = decode(image_ops.normalise(data, **LIMITS, gray16="stretch"))
    assert np.percentile(dark, 99) <= 3500 >> 8
    assert np.percentile(bright, 1) < 10
    assert np.percentile(bright, 99) > 245
    low, high = np.percentile(twelve_bits(), [0.5, 99.5], method="inverted_cdf")
    expected = np.clip((twelve_bits() - float(low)) / (high - low), 0, 1) * 255
    np.testing.assert_allclose(bright[..., 0], expected, atol=0.51)
    tiff = encode(Image.fromarray(twelve_bits()), "TIFF")
    assert np.array_equal(decode(image_ops.normalise(tiff, **LIMITS, gray16="stretch")), bright)
    other = encode(gradient(), "PNG")
    assert image_ops.normalise(other, **LIMITS, gray16="stretch").data == other


def test_values_of_32_bits_can_be_stretched_only():
    ramp = np.linspace(-3, 9, 200 * 200, dtype=np.float32).reshape(200, 200)
    ramp[0, 0] = np.nan
    data = encode(Image.fromarray(ramp), "TIFF")
    limits = {**LIMITS, "max_side_px": 200}
    pixels = decode(image_ops.normalise(data, **limits, gray16="stretch"))
    assert (pixels[0, 5, 0], pixels[-1, -1, 0]) == (0, 255)
    assert abs(int(pixels[100, 100, 0]) - 128) <= 2


def test_a_tiff_whose_zero_is_white():
    values = twelve_bits()
    data = encode(Image.fromarray(values), "TIFF")
    entry = struct.pack("<HHI", 262, 3, 1)
    assert entry + b"\1\0" in data
    data = data.replace(entry + b"\1\0", entry + b"\0\0")
    pixels = decode(image_ops.normalise(data, **LIMITS))
    np.testing.assert_array_equal(pixels[..., 0], (65_535 - values) >> 8)


def test_header():
    assert image_ops.read_header(encode(gradient(), "WEBP")) == image_ops.Header("webp", 32, 48)
    assert image_ops.read_header(huge_png_header()) == image_ops.Header("png", 30_000, 30_000)
    assert image_ops.read_header(b"") is None
    assert image_ops.read_header(b"GIF89a") is None


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(
    width=st.integers(1, 150),
    height=st.integers(1, 150),
    mode=st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"]),
    file_format=st.sampled_from(["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "AVIF"]),
    max_side_px=st.integers(8, 100),
)
def test_any_size_and_mode(width, height, mode, file_format, max_side_px):
    image = gradient(width, height, "RGB")
    image = image.convert("L").convert(mode) if mode == "I;16" else image.convert(mode)
    try:
        data = encode(image, file_format)
    except (OSError, ValueError):
        hypothesis.reject()  # this format cannot hold this mode
    limits = {**LIMITS, "max_side_px": max_side_px}
    result = image_ops.normalise(data, **limits)
    pixels = decode(result)
    assert pixels.shape == (result.height, result.width, 3)
    shorter = min(width, height)
    assert min(result.height, result.width) == min(shorter, max_side_px)
    scale = min(1.0, max_side_px / shorter)
    assert abs(max(result.height, result.width) - max(width, height) * scale) <= 0.5 + 1e-9
    if scale == 1.0:
        assert (result.height, result.width) == (height, width)
    assert image_ops.normalise(data, **limits) == result


@hypothesis.settings(max_examples=150, deadline=None)
@hypothesis.given(
    file_format=st.sampled_from(["JPEG", "PNG"]),
    keep=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6),
)
def test_damaged_files_are_refused_or_decodable(file_format, keep, flips):
    data = bytearray(encode(gradient(), file_format))
    for place, value in flips:
        data[int(place * (len(data) - 1))] = value
    data = bytes(data[: max(1, int(keep * len(data)))]) if not flips else bytes(data)
    try:
        result = image_ops.normalise(data, **LIMITS)
    except unusable.UnusableImageError:
        return
    assert decode(result).shape == (result.height, result.width, 3)
