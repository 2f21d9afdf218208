"""The chunks of a PNG file: which of them make its pixels, and whether their stream is complete.

Pillow, libpng and TensorFlow differ in what they forgive: missing rows, a wrong checksum, a stream
that says less window than it needs, a broken text. So the pixels are always decoded from `plain`,
the same pixel data without anything else, after `check_stream` has counted them. Only a file about
which no decoder has anything to complain passes as it is.
"""

import re
import struct
import zlib
from dataclasses import dataclass

from preprocessing.images.orientation import UPRIGHT, of_exif
from preprocessing.images.png_chunks import SIGNATURE, Chunks

GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
_HEADER = struct.Struct(">IIBBBBB")
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2))
_ADAM7 += ((0, 1, 1, 2),)  # (first column, first row, step of columns, step of rows) of each pass
_PIECE_BYTES = 1 << 17
_MAX_WINDOW_BYTES = 1 << 15
# A larger compressed text is not unpacked.
_HEXADECIMAL = re.compile(rb"[ \t\r\n]*\w+[ \t\r\n]+\d+[ \t\r\n]+([0-9A-Fa-f \t\r\n]*)")
_MAX_PACKED_BYTES = 1 << 17


@dataclass(frozen=True)
class PngFile:
    """The parts of a PNG file that its pixels come from.

    Attributes:
      width: pixels, 1 or more.
      height: pixels, 1 or more.
      depth: bits of a value: 1, 2, 4, 8 or 16.
      color: the colour type, a key of `CHANNELS`.
      interlaced: whether the rows come in seven passes.
      palette: the body of PLTE, of a palette picture; else None.
      transparency: the body of tRNS, where it is as it has to be; else None.
      orientation: of its EXIF, 1 to 8.
      image_data: the bodies of all IDAT, in order.
      quiet: whether the file holds nothing beside the pixels that a decoder could complain of.
    """

    width: int
    height: int
    depth: int
    color: int
    interlaced: bool
    palette: bytes | None
    transparency: bytes | None
    orientation: int
    image_data: tuple[bytes, ...]
    quiet: bool

    def plain(self) -> bytes:
        """The same pixel data as a file without metadata, transparency, or what comes behind."""
        header = (self.width, self.height, self.depth, self.color, 0, 0, int(self.interlaced))
        chunks = [(b"IHDR", _HEADER.pack(*header))]
        if self.palette is not None:
            chunks.append((b"PLTE", self.palette))
        chunks += [(b"IDAT", body) for body in self.image_data]
        return SIGNATURE + b"".join(_chunk(*chunk) for chunk in (*chunks, (b"IEND", b"")))

    def stream_bytes(self) -> int:
        """Bytes that all rows have once they are unpacked, each with its filter."""
        bits = self.depth * CHANNELS[self.color]
        passes = _ADAM7 if self.interlaced else ((0, 0, 1, 1),)
        total = 0
        for left, top, across, down in passes:
            columns = (self.width - left + across - 1) // across
            rows = (self.height - top + down - 1) // down
            total += rows * (1 + (columns * bits + 7) // 8) if columns > 0 and rows > 0 else 0
        return total


def read_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of a PNG; None where its header is not one."""
    if len(data) < 33 or data[8:16] != b"\0\0\0\x0dIHDR":
        return None
    width, height = struct.unpack_from(">II", data, 16)
    return (width, height) if 0 < width < 1 << 31 and 0 < height < 1 << 31 else None


def parse(data: bytes) -> PngFile:
    """Finds the parts of a PNG file.

    Raises:
      ValueError: a part that the pixels need is missing, damaged or contradicts another.
    """
    chunks = Chunks(data)
    chunks.read()
    width, height, depth, color, compression, filters, interlace = _HEADER.unpack(chunks.header)
    depths = {GREY: (1, 2, 4, 8, 16), PALETTE: (1, 2, 4, 8)}.get(color, (8, 16))
    if color not in CHANNELS or depth not in depths or compression or filters or interlace > 1:
        raise ValueError(f"IHDR holds what PNG does not know: {chunks.header.hex(' ')}")
    palette = chunks.palette if color == PALETTE else None
    if color == PALETTE and (not palette or len(palette) % 3 or len(palette) > 3 * 256):
        raise ValueError("the palette is missing or has a wrong length")
    palette = palette and palette[: 3 << depth]
    if not chunks.image_data:
        raise ValueError("there is no IDAT, which holds the pixels")
    return PngFile(
        width,
        height,
        depth,
        color,
        bool(interlace),
        palette,
        _right_transparency(chunks.transparency, color, palette),
        of_exif(chunks.exif) if chunks.exif is not None else _of_profile(chunks.profile),
        tuple(chunks.image_data),
        chunks.quiet,
    )


def check_stream(png: PngFile) -> bool:
    """Unpacks the pixel data, keeping nothing, and counts it.

    Returns:
      Whether no decoder can find fault with the stream. Where not, all pixels are there, and
      something else is not as it should be: an extra byte, a missing checksum, a small window.

    Raises:
      ValueError: it does not unpack, or holds fewer bytes than the header promises.
    """
    expected, data = png.stream_bytes(), b"".join(png.image_data)
    try:
        found, end = _unpacked_bytes(data, expected)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if found < expected:
        raise ValueError(f"the pixel data has {found} bytes, {expected} were expected")
    # The window must reach back as far as any decoder may have to, which goes row by row.
    window = 256 << (data[0] >> 4)
    return found == expected and end == len(data) and window >= min(expected, _MAX_WINDOW_BYTES)


def _unpacked_bytes(data: bytes, enough: int) -> tuple[int, int | None]:
    """How many bytes a zlib stream unpacks to, and where it ends; None where that is not there.

    It stops when there are more than `enough`, so that a small file cannot take long.
    """
    unpacker, found = zlib.decompressobj(), 0
    for start in range(0, len(data), _PIECE_BYTES):
        piece = data[start : start + _PIECE_BYTES]
        while True:
            rest = piece if unpacker.unconsumed_tail == b"" else unpacker.unconsumed_tail
            found += len(unpacked := unpacker.decompress(rest, _PIECE_BYTES))
            piece = b""
            if unpacker.eof:
                read = min(start + _PIECE_BYTES, len(data)) - len(unpacker.unused_data)
                return found, read
            if found > enough:
                return found, None
            if not unpacked and not unpacker.unconsumed_tail:
                break
    return found, None


def _right_transparency(body: bytes | None, color: int, palette: bytes | None) -> bytes | None:
    """The body of tRNS, or None where libpng, which TensorFlow uses, would not heed it."""
    if body is None:
        return None
    if color == PALETTE:
        return body if 0 < len(body) <= len(palette) // 3 else None
    return body if color in (GREY, RGB) and len(body) == 2 * CHANNELS[color] else None


def _of_profile(profile: bytes | None) -> int:
    """The orientation in a text chunk (its kind and body) with EXIF as hexadecimal digits."""
    if profile is None:
        return UPRIGHT
    text = profile[4:].partition(b"\0")[2]
    if profile.startswith(b"zTXt"):
        if len(text) > _MAX_PACKED_BYTES or text[:1] != b"\0":
            return UPRIGHT
        try:
            text = zlib.decompressobj().decompress(text[1:])
        except zlib.error:  # a broken text does not make the picture unusable
            return UPRIGHT
    match = _HEXADECIMAL.match(text)
    digits = re.sub(rb"\s", b"", match[1]) if match else b""
    return of_exif(bytes.fromhex(digits[: len(digits) // 2 * 2].decode()))


def _chunk(kind: bytes, body: bytes) -> bytes:
    crc = zlib.crc32(body, zlib.crc32(kind))
    return b"".join([struct.pack(">I", len(body)), kind, body, struct.pack(">I", crc)])
