"""One picture as a file of every format that a person may have, made with Pillow."""

import io
import struct

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 40, 60
_ROWS, _COLUMNS = np.mgrid[0:HEIGHT, 0:WIDTH]
_PIXELS = np.stack([_ROWS * 6, _COLUMNS * 4, (_ROWS + _COLUMNS) * 2], -1).astype(np.uint8)
_ALPHA = (_COLUMNS * 255 // (WIDTH - 1)).astype(np.uint8)
RGB = Image.fromarray(_PIXELS)
RGBA = Image.fromarray(np.dstack([_PIXELS, _ALPHA]))
PALETTE = RGB.convert("P")
_A_COLOR = int(np.asarray(PALETTE)[5, 5])
_SIXTEEN_BIT = Image.fromarray((_COLUMNS * 1000 + _ROWS * 37).astype(np.uint16))


def big_endian_exif(orientation: int) -> bytes:
    """An EXIF block as some cameras write it; Pillow writes little-endian ones."""
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", 1) + entry + bytes(4)


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    exif[0x0112] = orientation
    return exif


def bmp_of_4_bits() -> bytes:
    """16 greys, 7 x 5 pixels, the first row on top: Pillow does not write such files."""
    rows = np.arange(35).reshape(5, 7) % 16
    palette = b"".join(bytes([17 * i] * 3 + [0]) for i in range(16))
    packed = b"".join(
        bytes(int(row[i]) << 4 | (int(row[i + 1]) if i + 1 < 7 else 0) for i in range(0, 7, 2))
        for row in rows
    )
    info = struct.pack("<IiiHHIIiiII", 40, 7, -5, 1, 4, 0, len(packed), 0, 0, 16, 0)
    start = 14 + len(info) + len(palette)
    head = b"BM" + struct.pack("<IHHI", start + len(packed), 0, 0, start)
    return head + info + palette + packed


# By name: image, Pillow's format, its options.
FORMATS = {
    "jpeg": (RGB, "JPEG", {}),
    "jpeg grey": (RGB.convert("L"), "JPEG", {}),
    "jpeg cmyk": (RGB.convert("CMYK"), "JPEG", {}),
    "jpeg progressive": (RGB, "JPEG", {"progressive": True}),
    **{f"jpeg exif {n}": (RGB, "JPEG", {"exif": _exif(n)}) for n in range(1, 9)},
    "jpeg exif big-endian": (RGB, "JPEG", {"exif": big_endian_exif(6)}),
    "jpeg exif impossible": (RGB, "JPEG", {"exif": big_endian_exif(9)}),
    "jpeg exif behind a profile": (
        RGB, "JPEG", {"exif": big_endian_exif(8), "icc_profile": bytes(100_000)}
    ),
    "png rgb": (RGB, "PNG", {}),
    "png grey": (RGB.convert("L"), "PNG", {}),
    "png 1 bit": (RGB.convert("1"), "PNG", {}),
    "png 16 bit": (_SIXTEEN_BIT, "PNG", {}),
    "png palette": (PALETTE, "PNG", {}),
    "png palette alpha": (PALETTE, "PNG", {"transparency": bytes(range(256))}),
    "png palette transparent": (PALETTE, "PNG", {"transparency": _A_COLOR}),
    "png rgba": (RGBA, "PNG", {}),
    "png grey alpha": (RGBA.convert("LA"), "PNG", {}),
    "png grey transparent": (RGB.convert("L"), "PNG", {"transparency": 100}),
    "png exif 5": (RGB, "PNG", {"exif": _exif(5)}),
    "gif": (RGB, "GIF", {}),
    "gif transparent": (PALETTE, "GIF", {"transparency": _A_COLOR}),
    "gif rgba": (RGBA, "GIF", {}),
    "gif animated": (
        PALETTE,
        "GIF",
        {
            "save_all": True,
            "append_images": [PALETTE.rotate(180)],
            "transparency": _A_COLOR,
            "comment": b"a comment " * 60,
            "loop": 0,
        },
    ),
    "bmp": (RGB, "BMP", {}),
    "bmp grey": (RGB.convert("L"), "BMP", {}),
    "bmp palette": (PALETTE, "BMP", {}),
    "bmp 1 bit": (RGB.convert("1"), "BMP", {}),
    "bmp 32 bit": (RGBA, "BMP", {}),
    "bmp 4 bit": (None, "", {}),
}  # fmt: skip


def picture_file(name: str) -> bytes:
    """A file of `FORMATS`, or a `webp`."""
    if name == "bmp 4 bit":
        return bmp_of_4_bits()
    image, image_format, options = FORMATS.get(name, (RGB, "WEBP", {}))
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()
