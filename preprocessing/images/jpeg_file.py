"""The segments of a JPEG file: which of them make its pixels.

So that metadata costs no picture its place, a file about which a decoder complains is judged by
`plain`, the same compressed pixels and tables without it.
"""

import re
from dataclasses import dataclass, field

from preprocessing.images import jpeg_scans
from preprocessing.images.orientation import EXIF_NAME

BASELINE = 0xC0
_SEQUENTIAL, _PROGRESSIVE = (BASELINE, 0xC1, 0xC9), (0xC2, 0xC6, 0xCA, 0xCE)
_START, _END, _SCAN, _COMMENT = 0xD8, 0xD9, 0xDA, 0xFE
_APP0, _APP1, _APP14, _APP15 = 0xE0, 0xE1, 0xEE, 0xEF
_ALONE = (0x01, *range(0xD0, 0xD9))  # markers without a length
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # without tables and extensions
_JFIF = b"\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
_ADOBE_TRANSFORMS = {1: (0,), 3: (1, 0), 4: (2, 0)}  # by components; the first is the usual one
END_MARKER = b"\xff\xd9"
_SEPARATOR = re.compile(rb"\xff+[^\xff\0]")


@dataclass(frozen=True)
class _Segment:
    """A marker and what follows it: `begin` to `end` in the file, with its length but not itself.

    That of the first scan includes all compressed pixels, which start at `pixels`.
    """

    marker: int
    begin: int
    end: int
    pixels: int = 0


def _is_metadata(segment: _Segment) -> bool:
    return _APP0 <= segment.marker <= _APP15 or segment.marker == _COMMENT


@dataclass
class JpegFile:
    """How a JPEG file is built.

    Attributes:
      data: the file.
      frame: second byte of its start-of-frame marker: 0xC0 baseline, 0xC2 progressive, ...
      depth: bits of a value.
      width: pixels.
      height: pixels.
      components: 1 grey, 3 colour, 4 CMYK.
      sampling: how many columns and rows of blocks a component has, as 16 * columns + rows.
      frames: number of frame headers; one is right.
      end: where the first picture ends, behind its end marker; None where there is no marker.
      exif: the first EXIF block in front of all tables; None where there is none.
    """

    data: bytes
    frame: int = 0
    depth: int = 0
    width: int = 0
    height: int = 0
    components: int = 0
    sampling: tuple[int, ...] = ()
    frames: int = 0
    end: int | None = None
    exif: bytes | None = None
    _segments: list[_Segment] = field(default_factory=list)

    @classmethod
    def parse(cls, data: bytes, *, header_only: bool = False) -> "JpegFile":
        """Reads the segments of the first picture in a file; damage shows in what is missing.

        Args:
          data: the file.
          header_only: whether to stop behind the frame's header.
        """
        file, position = cls(data), 2
        while match := _SEPARATOR.search(data, position):
            marker, begin = data[match.end() - 1], match.end()
            position = begin
            if marker == _END:
                file.end = begin
                break
            if marker in _ALONE:
                continue
            position = begin + max(2, int.from_bytes(data[begin : begin + 2], "big"))
            file._describe(marker, begin, data[begin + 2 : position])
            if header_only and file.frame:
                break
            pixels = position
            if marker == _SCAN:  # all that is left: further scans and their tables, too
                end = data.find(END_MARKER, position)
                position = end if end >= 0 else len(data)
            file._segments.append(_Segment(marker, begin, position, pixels))
        return file

    def _describe(self, marker: int, begin: int, body: bytes) -> None:
        self.frames += marker in _FRAMES
        if marker in _FRAMES and not self.frame and len(body) >= 6:
            self.frame, self.depth, self.components = marker, body[0], body[5]
            self.height, self.width = body[1] << 8 | body[2], body[3] << 8 | body[4]
            self.sampling = tuple(body[7 : 6 + 3 * self.components : 3])
        elif marker == _APP1 and self.exif is None and body.startswith(EXIF_NAME):
            # In front of the tables, where the standard wants it.
            self.exif = body if all(map(_is_metadata, self._segments)) else None

    def check_scans(self) -> None:
        """Looks whether all scans are there that the frame's header promises.

        Raises:
          ValueError: some are missing, or there are two frames.
        """
        if self.frames > 1:
            raise ValueError("Invalid JPEG file structure: two SOF markers")
        frame = next((s for s in self._segments if s.marker in _FRAMES), None)
        scan = self._first_scan
        if frame is None or scan is None:
            raise ValueError("premature end: there is no SOF or no SOS, the header of a scan")
        if not self.is_one_scan:
            header = self.data[frame.begin + 2 : frame.end]
            scans = self.data[scan.begin : scan.end]
            progressive = self.frame in _PROGRESSIVE
            jpeg_scans.check(scans, header[6 : 6 + 3 * self.components : 3], progressive)

    @property
    def _first_scan(self) -> _Segment | None:
        return next((s for s in self._segments if s.marker == _SCAN), None)

    @property
    def pixels_at(self) -> int:
        """Where the compressed pixels of the first scan begin in the file."""
        return self._first_scan.pixels

    @property
    def scan_tables(self) -> tuple[int, ...]:
        """The Huffman tables of the first scan's components, as 16 * DC's number + AC's."""
        begin = self._first_scan.begin + 2
        return tuple(self.data[begin + 2 : begin + 1 + 2 * self.data[begin] : 2])

    def bodies(self, marker: int) -> list[bytes]:
        """The segments of a kind, by their marker's second byte, without marker and length."""
        found = [segment for segment in self._segments if segment.marker == marker]
        return [self.data[segment.begin + 2 : segment.end] for segment in found]

    @property
    def is_one_scan(self) -> bool:
        """Whether one scan gives all components in full, as in almost all files."""
        in_first = self.data[self._first_scan.begin + 2]
        return self.frame not in _PROGRESSIVE and in_first == self.components

    def plain(self, *, without_filling: bool = False) -> bytes:
        """The first picture without metadata, with an end, and with nothing behind it.

        What says which colours the values mean stays. A decoder makes the same pixels of it.

        Args:
          without_filling: leave out zeros between the last scan and the end as well.
        """
        parts = [b"\xff\xd8", *self._color_segments()]
        for segment in self._segments:
            if _is_metadata(segment):
                continue
            body = self.data[segment.begin : segment.end]
            if segment.marker == _SCAN and self.frame in _SEQUENTIAL:
                # Its last three bytes have one right value, that decoders do not need.
                header = segment.pixels - segment.begin
                body = body[: header - 3] + b"\0\x3f\0" + body[header:]
            parts += [bytes([0xFF, segment.marker]), body]
        if without_filling:
            parts[-1] = parts[-1].rstrip(b"\0")
        return b"".join([*parts, END_MARKER])

    def head(self) -> bytes:
        """What stands in front of the first scan's pixels, without EXIF."""
        parts = [b"\xff\xd8"]
        for segment in self._segments:
            if segment.marker != _APP1:
                parts += [bytes([0xFF, segment.marker]), self.data[segment.begin : segment.pixels]]
            if segment.marker == _SCAN:
                break
        return b"".join(parts)

    def _color_segments(self) -> list[bytes]:
        """The segments of JFIF and Adobe, as they ought to be, where libjpeg would heed them."""
        result = []
        for segment in self._segments:
            body = self.data[segment.begin + 2 : segment.end]
            if segment.marker == _APP0 and body.startswith(b"JFIF\0") and len(body) >= 14:
                result.append(_JFIF)
            elif segment.marker == _APP14 and body.startswith(b"Adobe") and len(body) >= 12:
                known = _ADOBE_TRANSFORMS.get(self.components, (body[11],))
                transform = body[11] if body[11] in known else known[0]
                result.append(b"\xff\xee\0\x0e" + body[:11] + bytes([transform]))
        return result
