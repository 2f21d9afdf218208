"""From the bytes of a picture's file to upright RGB pixels, by graph operations alone.

It gives what the preprocessing makes of the same file, so that raw files can be given to the
exported model: JPEG (grey, RGB, CMYK) turned upright by EXIF, PNG (grey, palette, 16 bit, alpha
over a background), the first frame of a GIF, BMP. TensorFlow 2.16 reads no WebP.
"""

import tensorflow as tf

from preprocessing import features
from trainer_module.decoding import bmp, file_bytes, gif, gray16, orientation, png

WHITE = (255, 255, 255)
# Adobe's segment: its head, then version, flags and that the colours are CMYK.
_ADOBE, _ADOBE_CMYK = b"\xff\xee\0\x0eAdobe", b"\0\x64\0\0\0\0\0"
_CMYK_COMPONENTS = 4
_JPEG, _PNG, _GIF, _BMP = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM"


def decode(
    encoded: tf.Tensor,
    background: tuple[int, int, int] = WHITE,
    grey: str = gray16.AS_IS,
    max_pixels: int = 0,
) -> tf.Tensor:
    """Decodes a JPEG, PNG, BMP or the first frame of a GIF, and what else TensorFlow reads.

    Args:
      encoded: string [], the file.
      background: RGB, 0 to 255, what is seen where a picture is transparent.
      grey: what becomes of 16-bit grey: `as_is`, its high byte, or `stretch`, see `gray16`.
      max_pixels: a picture with more pixels in its header is not decoded; 0 for no limit.

    Returns:
      uint8 [H, W, 3], RGB, upright.

    Raises:
      tf.errors.InvalidArgumentError: the file is damaged, too large, or of a format that is not
        read.
    """
    image = tf.cond(
        _starts_with(encoded, _JPEG),
        lambda: _jpeg(encoded, max_pixels),
        lambda: tf.cond(
            _starts_with(encoded, _PNG),
            lambda: png.decode(
                _limited(encoded, max_pixels, lambda: png.size(encoded)), background, grey
            ),
            lambda: _rest(encoded, background, max_pixels),
        ),
    )
    return tf.ensure_shape(image, [None, None, features.CHANNELS])


@file_bytes.rarely()
def _rest(encoded: tf.Tensor, background: tuple[int, int, int], max_pixels: int) -> tf.Tensor:
    is_gif = _starts_with(encoded, _GIF)
    encoded = _limited(
        encoded,
        max_pixels,
        lambda: tf.cond(is_gif, lambda: gif.size(encoded), lambda: bmp.size(encoded)),
    )
    return tf.cond(
        is_gif,
        lambda: gif.decode(encoded, background),
        lambda: tf.cond(
            _starts_with(encoded, _BMP),
            lambda: bmp.decode(encoded),
            lambda: tf.io.decode_image(encoded, features.CHANNELS, expand_animations=False),
        ),
    )


def _starts_with(encoded: tf.Tensor, signature: bytes) -> tf.Tensor:
    return tf.equal(tf.strings.substr(encoded, 0, len(signature)), signature)


def _jpeg(encoded: tf.Tensor, max_pixels: int) -> tf.Tensor:
    shape = tf.io.extract_jpeg_shape(encoded, tf.int64)
    encoded = _limited(encoded, max_pixels, lambda: tf.reduce_prod(shape[:2]))
    encoded = tf.cond(
        shape[2] == _CMYK_COMPONENTS, lambda: _with_adobe_marker(encoded), lambda: encoded
    )
    # The accurate transform, which other readers use.
    image = tf.io.decode_jpeg(encoded, features.CHANNELS, dct_method="INTEGER_ACCURATE")
    return orientation.upright(image, orientation.of_jpeg(encoded))


@file_bytes.rarely(input_signature=[tf.TensorSpec([], tf.string)])
def _with_adobe_marker(encoded: tf.Tensor) -> tf.Tensor:
    """A CMYK JPEG (string []) whose values are stored inverted, as Adobe does and Pillow assumes.

    TensorFlow assumes so only where Adobe's segment says it.
    """
    marked = tf.strings.join(
        [_JPEG[:2], _ADOBE + _ADOBE_CMYK, file_bytes.part(encoded, 2, 1 << 30)]
    )
    return tf.cond(file_bytes.holds(encoded, _ADOBE), lambda: encoded, lambda: marked)


def _limited(encoded: tf.Tensor, max_pixels: int, size) -> tf.Tensor:
    """The same file (string []), unless its header says more pixels; `size` gives int64 []."""
    if not max_pixels:
        return encoded
    check = tf.debugging.Assert(size() <= max_pixels, ["the picture has more pixels than allowed"])
    with tf.control_dependencies([] if check is None else [check]):
        return tf.identity(encoded)
