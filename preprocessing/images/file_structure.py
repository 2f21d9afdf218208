"""How JPEG and PNG files are built, as far as Pillow does not tell it."""

import struct
import zlib

JPEG_END = b"\xff\xd9"
PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
BASELINE_FRAME = 0xC0


def is_known(data: bytes) -> bool:
    """Whether a file begins as JPEG, PNG, GIF or WebP; a BMP's two letters would not say much."""
    begins = data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a"))
    return begins or (data.startswith(b"RIFF") and data[8:12] == b"WEBP")


def jpeg_frame_type(data: bytes) -> int | None:
    """The start-of-frame marker's second byte: 0xC0 baseline, 0xC2 progressive, ..."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # padding
            position += 1
            continue
        # C4, C8 and CC are tables and extensions, not frames.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return marker
        position += 2 + struct.unpack_from(">H", data, position + 2)[0]
    return None


def check_png_sums(data: bytes) -> None:
    """Raises ValueError where a chunk's CRC is wrong; Pillow does not look at those of pixels."""
    position = 8
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        found = data[end : end + 4]
        if found != struct.pack(">I", zlib.crc32(data[position + 4 : end])):
            raise ValueError(f"checksum of PNG chunk {kind.decode('latin-1')!r} is wrong")
        if kind == b"IEND":
            return
        position = end + 4
