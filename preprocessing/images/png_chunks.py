"""The chunks of a PNG file, one after the other."""

import re
import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER_BYTES = 13
# Chunks whose damage would show.
_NEEDED = (b"IHDR", b"PLTE", b"tRNS", b"IDAT")
# Chunks of metadata that are simple enough to be judged here: what a right one matches.
_QUIET = {
    b"tEXt": re.compile(rb"[!-~]([ -~]{0,77}[!-~])?\0[^\0]*", re.DOTALL),
    b"tIME": re.compile(rb"..[\x01-\x0c][\x01-\x1f][\0-\x17][\0-\x3b][\0-\x3c]", re.DOTALL),
    b"pHYs": re.compile(rb".{8}[\0\1]", re.DOTALL),
    b"gAMA": re.compile(rb"\0\0\xb1\x8f"),  # 1 / 2.2
    b"sRGB": re.compile(rb"[\0-\3]"),
}
_BEFORE_PIXELS = (b"pHYs", b"gAMA", b"sRGB")
_MAX_QUIET_BYTES = 1 << 16
# EXIF as hexadecimal text, as ImageMagick writes it.
_RAW_PROFILE = re.compile(rb"Raw profile type (?:exif|APP1)\0")


class Chunks:
    """Reads the chunks of a file one after the other, and keeps those that matter.

    Attributes:
      header: the body of IHDR.
      palette: the body of PLTE; None where there is none in front of the pixels.
      transparency: the body of tRNS; None where there is none in front of the pixels.
      exif: the body of eXIf; None where there is none.
      profile: the kind and body of a text chunk with EXIF; None where there is none.
      image_data: the bodies of all IDAT, in order.
      quiet: whether there is nothing beside the pixels that a decoder could complain of.
    """

    def __init__(self, data: bytes):
        """Takes a file; `read` fills the attributes."""
        self._data = data
        self._seen: set[bytes] = set()
        self._last = b""
        self.header: bytes | None = None
        self.palette: bytes | None = None
        self.transparency: bytes | None = None
        self.exif: bytes | None = None
        self.profile: bytes | None = None
        self.image_data: list[bytes] = []
        self.quiet = True

    def read(self) -> None:
        """Reads to IEND, or to where the file ends.

        Raises:
          ValueError: what the pixels need has a wrong checksum, or contradicts another part.
        """
        data, position = self._data, len(SIGNATURE)
        while position + 8 <= len(data) and self._last != b"IEND":
            length, kind = struct.unpack_from(">I4s", data, position)
            end = position + 8 + length
            body, crc = data[position + 8 : end], data[end : end + 4]
            right = crc == struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))
            if end + 4 > len(data) and kind != b"IDAT":
                break
            if end + 4 <= len(data) and not right and kind in _NEEDED:
                raise ValueError(f"checksum of PNG chunk {kind.decode('latin-1')!r} is wrong")
            self._take(kind, body)
            self.quiet &= right and self._is_quiet(kind, body)
            self._seen.add(kind)
            self._last = kind
            position = end + 4
        self.quiet &= self._last == b"IEND" and position == len(data)
        if self.header is None:
            raise ValueError("there is no IHDR, the header")

    def _take(self, kind: bytes, body: bytes) -> None:
        if kind == b"IHDR":
            if len(body) != _HEADER_BYTES or self.header not in (None, body):
                raise ValueError("there are two different headers (IHDR), or one of a wrong length")
            self.header = body
        elif kind == b"IDAT":
            self.image_data.append(body)
        elif kind == b"eXIf" and self.exif is None:
            self.exif = body
        elif kind in (b"tEXt", b"zTXt") and self.profile is None and _RAW_PROFILE.match(body):
            self.profile = kind + body
        elif kind == b"PLTE" and not self.image_data:
            if self.palette not in (None, body):
                raise ValueError("there are two different palettes (PLTE)")
            self.palette = body
        elif kind == b"tRNS" and not self.image_data and self.transparency is None:
            self.transparency = body

    def _is_quiet(self, kind: bytes, body: bytes) -> bool:
        first = kind not in self._seen
        if kind == b"IHDR":
            return first and not self._seen
        if kind == b"IDAT":
            return first or self._last == b"IDAT"
        if kind == b"IEND":
            return not body
        if kind in _QUIET and len(body) <= _MAX_QUIET_BYTES:
            in_order = kind not in _BEFORE_PIXELS or (first and not self.image_data)
            return in_order and (first or kind == b"tEXt") and bool(_QUIET[kind].fullmatch(body))
        return False
