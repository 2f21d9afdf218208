"""PNG files: every colour type and depth, transparent parts over a background, upright.

preprocessing/images/png_pixels.py makes the same of the same files.
"""

import tensorflow as tf

from preprocessing import features
from trainer_module.decoding import file_bytes, gray16, orientation

# Where numbers stand in the file.
_WIDTH, _HEIGHT, _DEPTH, _COLOR_TYPE, _HEADER_END = 16, 20, 24, 25, 26
_ALPHA = 4  # of a colour type: the bit that says that there is alpha
_GREY_TYPES = (0, 4)
_FIRST_CHUNK, _CHUNK_BYTES = 8, 12
_EXIF, _TRANSPARENCY, _PALETTE, _PIXELS = b"eXIf", b"tRNS", b"PLTE", b"IDAT"
_TEXT, _PACKED = b"tEXt", b"zTXt"
# Colour types that tRNS is for, and its bytes; of a palette at most one an entry.
_GREY, _RGB, _OF_PALETTE = 0, 2, 3
_TRANSPARENT_BYTES = {_GREY: 2, _RGB: 6}
# EXIF as hexadecimal text, as ImageMagick writes it. A larger compressed text is not unpacked.
_PROFILES = (b"Raw profile type exif\0", b"Raw profile type APP1\0")
_PROFILE = b"Raw profile type "
_PROFILE_BYTES = len(_PROFILES[0])
_MAX_PACKED_BYTES = 1 << 17
_PROFILE_HEAD = rb"^[ \t\r\n]*\w+[ \t\r\n]+\d+[ \t\r\n]+"
_NO_DIGIT = -1
_DIGITS = [int(chr(c), 16) if chr(c) in "0123456789abcdefABCDEF" else _NO_DIGIT for c in range(256)]
_STRING = tf.TensorSpec([], tf.string)


def decode(encoded: tf.Tensor, background: tuple[int, int, int], grey: str) -> tf.Tensor:
    """Decodes a PNG.

    Args:
      encoded: string [], the file.
      background: RGB, 0 to 255, what is seen where a picture is transparent.
      grey: what becomes of 16-bit grey, see `gray16`.

    Returns:
      uint8 [H, W, 3], RGB, upright.

    Raises:
      tf.errors.InvalidArgumentError: the file is damaged.
    """
    color_type = tf.cast(file_bytes.window(encoded, _COLOR_TYPE, 1)[0], tf.int32)
    has_alpha = tf.bitwise.bitwise_and(color_type, _ALPHA) > 0
    marked = (file_bytes.holds(encoded, name) for name in (_EXIF, _TRANSPARENCY, _PROFILE))
    exif, transparent_color = tf.cond(
        tf.reduce_any(list(marked)),
        lambda: _of_chunks(encoded),
        lambda: (tf.constant(orientation.UPRIGHT), tf.constant(False)),
    )
    image = tf.cond(
        has_alpha | transparent_color,
        lambda: over(tf.io.decode_png(encoded, features.CHANNELS + 1), background),
        lambda: tf.io.decode_png(encoded, features.CHANNELS),
    )
    if grey == gray16.STRETCH:
        depth = file_bytes.window(encoded, _DEPTH, 1)[0]
        is_grey = (depth == 16) & tf.reduce_any(tf.equal(color_type, _GREY_TYPES))
        image = tf.cond(is_grey, lambda: _stretched(encoded, background), lambda: image)
    return orientation.upright(image, exif)


def size(encoded: tf.Tensor) -> tf.Tensor:
    """Pixels of a PNG (string []) as its header has them: int64 []."""
    header = file_bytes.window(encoded, 0, _HEADER_END)
    return file_bytes.number(header, _WIDTH, 4, True) * file_bytes.number(header, _HEIGHT, 4, True)


def over(rgba: tf.Tensor, background: tuple[int, int, int]) -> tf.Tensor:
    """Pixels uint8 [H, W, 4] over a colour: uint8 [H, W, 3]."""
    values = tf.cast(rgba, tf.float32)
    color, alpha = values[..., :3], values[..., 3:]
    mixed = (color * alpha + tf.constant(background, tf.float32) * (255.0 - alpha)) / 255.0
    return tf.saturate_cast(tf.round(mixed), tf.uint8)


def _stretched(encoded: tf.Tensor, background: tuple[int, int, int]) -> tf.Tensor:
    values = tf.io.decode_png(encoded, features.CHANNELS + 1, tf.uint16)
    alpha = tf.cast(tf.bitwise.right_shift(values[..., 3], tf.constant(8, tf.uint16)), tf.uint8)
    grey = gray16.stretched(values[..., 0], alpha > 0)
    return over(tf.stack([grey, grey, grey, alpha], axis=-1), background)


@file_bytes.rarely(input_signature=[_STRING])
def _of_chunks(encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The orientation, int32 [], and whether a colour is transparent, bool [].

    EXIF may stand in front of the pixels or behind them; transparency in front only.
    """
    end = tf.strings.length(encoded)
    searches = file_bytes.holds(encoded, _EXIF) | file_bytes.holds(encoded, _PROFILE)

    numbers = file_bytes.window(encoded, 0, _HEADER_END)
    depth, color_type = (tf.cast(numbers[at], tf.int64) for at in (_DEPTH, _COLOR_TYPE))

    def heeded(length: tf.Tensor, entries: tf.Tensor) -> tf.Tensor:
        # TensorFlow makes up an alpha channel where libpng does not heed tRNS.
        right = [(color_type == c) & (length == n) for c, n in _TRANSPARENT_BYTES.items()]
        right.append((color_type == _OF_PALETTE) & (length > 0) & (length <= entries))
        return tf.reduce_any(right)

    def step(at, exif, profile, entries, transparent, in_front, _):
        head = file_bytes.window(encoded, at, 8)
        length = file_bytes.number(head, 0, 4, True)
        name = file_bytes.part(encoded, at + 4, 4)
        keyword = file_bytes.part(encoded, at + 8, _PROFILE_BYTES)
        is_text = tf.equal(name, _TEXT) | tf.equal(name, _PACKED)
        is_profile = is_text & tf.reduce_any(tf.equal(keyword, _PROFILES))
        in_front &= tf.not_equal(name, _PIXELS)
        following = tf.cast(at, tf.int64) + _CHUNK_BYTES + length
        inside = following <= tf.cast(end, tf.int64)
        is_palette = inside & in_front & tf.equal(name, _PALETTE)
        most = tf.bitwise.left_shift(tf.constant(1, tf.int64), tf.minimum(depth, 8))
        entries = tf.where(is_palette, tf.minimum(length // 3, most), entries)
        is_transparency = inside & in_front & tf.equal(name, _TRANSPARENCY)
        first_exif = inside & tf.equal(name, _EXIF) & (exif == 0)
        first_profile = inside & is_profile & (profile == 0)
        going = inside & (in_front | searches) & (following < tf.cast(end, tf.int64))
        return (
            tf.where(going, tf.cast(tf.where(going, following, 0), tf.int32), at),
            tf.where(first_exif, at, exif),
            tf.where(first_profile, at, profile),
            entries,
            transparent | (is_transparency & heeded(length, entries)),
            in_front,
            going,
        )

    none, no_entries = tf.constant(0), tf.constant(0, tf.int64)
    flags = (tf.constant(False), tf.constant(True), end > _HEADER_END)
    _, exif, profile, _, transparent, _, _ = tf.while_loop(
        lambda at, exif, profile, entries, transparent, in_front, going: going,
        step,
        (tf.constant(_FIRST_CHUNK), none, none, no_entries, *flags),
        parallel_iterations=1,
    )
    found = tf.cond(
        exif > 0,
        lambda: orientation.of_exif(_body(encoded, exif)),
        lambda: tf.cond(
            profile > 0,
            lambda: _of_profile(file_bytes.part(encoded, profile + 4, 4), _body(encoded, profile)),
            lambda: tf.constant(orientation.UPRIGHT),
        ),
    )
    return found, transparent


def _body(encoded: tf.Tensor, chunk: tf.Tensor) -> tf.Tensor:
    length = file_bytes.number(file_bytes.window(encoded, chunk, 4), 0, 4, True)
    return file_bytes.part(encoded, chunk + 8, length)


@file_bytes.rarely(input_signature=[_STRING, _STRING])
def _of_profile(name: tf.Tensor, body: tf.Tensor) -> tf.Tensor:
    """The orientation in a text chunk with EXIF as hexadecimal digits: int32 []."""
    text = file_bytes.part(body, _PROFILE_BYTES, 1 << 30)
    text = tf.cond(tf.equal(name, _PACKED), lambda: _unpacked(text), lambda: text)
    hexadecimal = tf.strings.regex_replace(text, _PROFILE_HEAD, b"", replace_global=False)
    hexadecimal = tf.where(tf.equal(hexadecimal, text), b"", hexadecimal)
    hexadecimal = tf.strings.regex_replace(hexadecimal, rb"[ \t\r\n]", b"")
    digits = tf.gather(_DIGITS, tf.cast(tf.io.decode_raw(hexadecimal, tf.uint8), tf.int32))
    valid = tf.cumsum(tf.cast(digits == _NO_DIGIT, tf.int32)) == 0
    digits = tf.boolean_mask(digits, valid)
    pairs = tf.reshape(digits[: tf.size(digits) // 2 * 2], [-1, 2])
    values = pairs[:, 0] * 16 + pairs[:, 1]
    return orientation.of_exif(tf.strings.reduce_join(file_bytes.byte_string(values)))


@tf.autograph.experimental.do_not_convert  # for the dataset in it; see input_pipeline.py
def _unpacked(text: tf.Tensor) -> tf.Tensor:
    """Unpacks a method byte and a zlib stream (string []); empty where it does not unpack."""
    usable = tf.equal(tf.strings.substr(text, 0, 1), b"\0")
    usable &= tf.strings.length(text) <= _MAX_PACKED_BYTES
    packed = tf.where(usable, file_bytes.part(text, 1, _MAX_PACKED_BYTES), b"")
    # A dataset is the only thing in a graph that goes on after an error.
    found = tf.data.Dataset.from_tensors(packed)
    found = found.map(lambda data: tf.io.decode_compressed(data, "ZLIB")).ignore_errors()
    found = found.concatenate(tf.data.Dataset.from_tensors(tf.constant(b"")))
    return found.take(1).get_single_element()
