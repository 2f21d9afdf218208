"""From the bytes of a picture's file to upright RGB pixels, by graph operations alone.

It gives what the preprocessing makes of the same file, so that raw files can be given to the
exported model: JPEG (grey, RGB, CMYK) turned upright by EXIF, PNG (grey, palette, 16 bit, alpha
over a background), the first frame of a GIF, BMP. TensorFlow 2.16 reads no WebP.
"""

import tensorflow as tf

from preprocessing import features
from trainer_module.decoding import bmp, file_bytes, gif, orientation

WHITE = (255, 255, 255)
_JPEG, _PNG, _GIF, _BMP = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM"
# Place of a PNG's colour type, whose bit of value 4 says that there is alpha.
_PNG_COLOR_TYPE, _PNG_ALPHA = 25, 4
_PNG_FIRST_CHUNK, _PNG_CHUNK_BYTES = 8, 12
_EXIF, _TRANSPARENCY, _PIXELS = b"eXIf", b"tRNS", b"IDAT"


def decode(encoded: tf.Tensor, background: tuple[int, int, int] = WHITE) -> tf.Tensor:
    """Decodes a JPEG, PNG, BMP or the first frame of a GIF, and what else TensorFlow reads.

    Args:
      encoded: string [], the file.
      background: RGB, 0 to 255, what is seen where a picture is transparent.

    Returns:
      uint8 [H, W, 3], RGB, upright.

    Raises:
      tf.errors.InvalidArgumentError: the file is damaged, or of a format that is not read.
    """
    image = tf.cond(
        _starts_with(encoded, _JPEG),
        lambda: _jpeg(encoded),
        lambda: tf.cond(
            _starts_with(encoded, _PNG),
            lambda: _png(encoded, background),
            lambda: _rest(encoded, background),
        ),
    )
    return tf.ensure_shape(image, [None, None, features.CHANNELS])


@file_bytes.rarely()
def _rest(encoded: tf.Tensor, background: tuple[int, int, int]) -> tf.Tensor:
    encoded = tf.cond(
        _starts_with(encoded, _GIF), lambda: gif.opaque(encoded, background), lambda: encoded
    )
    return tf.cond(
        _starts_with(encoded, _BMP),
        lambda: bmp.decode(encoded),
        lambda: tf.io.decode_image(encoded, features.CHANNELS, expand_animations=False),
    )


def _starts_with(encoded: tf.Tensor, signature: bytes) -> tf.Tensor:
    return tf.equal(tf.strings.substr(encoded, 0, len(signature)), signature)


def _jpeg(encoded: tf.Tensor) -> tf.Tensor:
    # The accurate transform, which other readers use.
    image = tf.io.decode_jpeg(encoded, features.CHANNELS, dct_method="INTEGER_ACCURATE")
    return orientation.upright(image, orientation.of_jpeg(encoded))


def _png(encoded: tf.Tensor, background: tuple[int, int, int]) -> tf.Tensor:
    color_type = tf.io.decode_raw(tf.strings.substr(encoded, 0, _PNG_COLOR_TYPE + 1), tf.uint8)[-1]
    has_alpha = tf.bitwise.bitwise_and(color_type, _PNG_ALPHA) > 0
    exif, has_transparent_color = tf.cond(
        file_bytes.holds(encoded, _EXIF) | file_bytes.holds(encoded, _TRANSPARENCY),
        lambda: _png_chunks(encoded),
        lambda: (tf.constant(orientation.UPRIGHT), tf.constant(False)),
    )
    image = tf.cond(
        has_alpha | has_transparent_color,
        lambda: _over(tf.io.decode_png(encoded, features.CHANNELS + 1), background),
        lambda: tf.io.decode_png(encoded, features.CHANNELS),
    )
    return orientation.upright(image, exif)


@file_bytes.rarely(input_signature=[tf.TensorSpec([], tf.string)])
def _png_chunks(encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The orientation, int32 [], and whether a colour is transparent, bool [].

    Only chunks in front of the pixels count.
    """
    data = file_bytes.header(encoded)
    end = tf.size(data, tf.int64)

    def step(at, exif, transparent, _):
        length = file_bytes.number(data, at, 4, True)
        name = file_bytes.number(data, at + 4, 4, True)
        following = at + _PNG_CHUNK_BYTES + length
        return (
            following,
            tf.where(name == _code(_EXIF), at + 8, exif),
            transparent | (name == _code(_TRANSPARENCY)),
            (name != _code(_PIXELS)) & (following < end),
        )

    first, none = tf.constant(_PNG_FIRST_CHUNK, tf.int64), tf.constant(0, tf.int64)
    _, exif, transparent, _ = tf.while_loop(
        lambda at, exif, transparent, going: going,
        step,
        (first, none, tf.constant(False), end > _PNG_COLOR_TYPE),
        parallel_iterations=1,
    )
    return orientation.of_exif(data, tf.cast(exif, tf.int32)), transparent


def _code(name: bytes) -> int:
    return int.from_bytes(name, "big")


def _over(rgba: tf.Tensor, background: tuple[int, int, int]) -> tf.Tensor:
    """Pixels uint8 [H, W, 4] over a colour: uint8 [H, W, 3]."""
    values = tf.cast(rgba, tf.float32)
    color, alpha = values[..., :3], values[..., 3:]
    mixed = (color * alpha + tf.constant(background, tf.float32) * (255.0 - alpha)) / 255.0
    return tf.saturate_cast(tf.round(mixed), tf.uint8)
