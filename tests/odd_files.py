"""JPEG and PNG files that people have and no encoder of ours writes, by name.

`BROKEN` hold fewer pixels than they promise, or damaged ones. `ODD` hold all of them, and something
else that some decoder complains of or refuses.
"""

import io
import struct
import zlib

import numpy as np
from PIL import Image, PngImagePlugin

WIDTH, HEIGHT = 60, 44
_NOISE = np.random.default_rng(0).integers(0, 256, (150, 200, 3), np.uint8)
PIXELS = _NOISE[:HEIGHT, :WIDTH]
# Rows as a PNG stores them: each with its filter, none.
RAW = b"".join(b"\0" + row.tobytes() for row in PIXELS)
_STREAM = zlib.compress(RAW)


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    width: int = WIDTH,
    height: int = HEIGHT,
    depth: int = 8,
    color: int = 2,
    stream: bytes = _STREAM,
    before: bytes = b"",
    after: bytes = b"",
    interlace: int = 0,
) -> bytes:
    """A PNG with a compressed stream of rows, and chunks before and after it."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    body = chunk(b"IHDR", header) + before + chunk(b"IDAT", stream) + after
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def saved(image: Image.Image, file_format: str, **options) -> bytes:
    """An image file of Pillow's."""
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def _with_wrong_sum(part: bytes) -> bytes:
    return part[:-1] + bytes([part[-1] ^ 1])


def segment(marker: int, body: bytes) -> bytes:
    """A segment of a JPEG."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


PHOTO = Image.fromarray(_NOISE)
JPEG = saved(PHOTO, "JPEG")
_HALF = len(JPEG) // 2
_SCAN = JPEG.index(b"\xff\xda") + 12  # where the scan's last three parameters begin, and end
_PROGRESSIVE = saved(PHOTO, "JPEG", progressive=True)
_RESTARTS = saved(PHOTO, "JPEG", restart_marker_blocks=10)
_FRAME = _RESTARTS.index(b"\xff\xc0") + 5  # where its height stands
_FRAME_BEGIN = JPEG.index(b"\xff\xc0")
_XMP = PngImagePlugin.PngInfo()
_XMP.add_itxt("XML:com.adobe.xmp", "x" * 2_000_000, zip=True)


def _between_scans(data: bytes, number: int, end: bytes = b"") -> bytes:
    """A JPEG that is cut in front of its scan of this number, from 0."""
    scans = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xda"]
    return data[: scans[number]] + end


def _a_scan_a_component(data: bytes) -> bytes:
    """A baseline JPEG of grey with two more components, in scans of their own, which lack."""
    frame = data.index(b"\xff\xc0")
    more = b"\2\x11\0\3\x11\0"
    header = data[frame + 4 : frame + 9] + b"\3" + data[frame + 10 : frame + 13] + more
    return data[:frame] + segment(0xC0, header) + data[frame + 13 :]


def _zeros(data: bytes, begin: int, count: int) -> bytes:
    return data[:begin] + bytes(count) + data[begin + count :]


BROKEN = {
    "jpeg cut": JPEG[:_HALF],
    "jpeg cut, with an end": JPEG[:_HALF] + b"\xff\xd9",
    "jpeg without its last bytes": JPEG[:-40],
    "jpeg, zeros in the middle": _zeros(JPEG, _HALF, 4000),
    "jpeg, zeros at the end": _zeros(JPEG, len(JPEG) - 4002, 4000),
    "jpeg, a segment inside the scan": JPEG[:_HALF] + b"\xff\xe1" + JPEG[_HALF + 2 :],
    "jpeg, a table inside the scan": JPEG[:_HALF] + b"\xff\xc4" + JPEG[_HALF + 2 :],
    "jpeg, a wrong restart marker": _RESTARTS.replace(b"\xff\xd3", b"\xff\xd5", 1),
    "jpeg progressive, cut, with an end": _PROGRESSIVE[: len(_PROGRESSIVE) // 2] + b"\xff\xd9",
    "jpeg progressive, cut between scans": _between_scans(_PROGRESSIVE, 4),
    "jpeg progressive, cut between scans, with an end": _between_scans(
        _PROGRESSIVE, 9, b"\xff\xd9"
    ),
    "jpeg progressive, one scan": _between_scans(_PROGRESSIVE, 1, b"\xff\xd9"),
    "jpeg, scans of two components lack": _a_scan_a_component(saved(PHOTO.convert("L"), "JPEG")),
    "jpeg, cut in front of its scan": JPEG[: JPEG.index(b"\xff\xda")],
    "jpeg, cut in the header of its scan": JPEG[: JPEG.index(b"\xff\xda") + 6],
    "jpeg of no height": _RESTARTS[:_FRAME] + bytes(2) + _RESTARTS[_FRAME + 2 :],
    "jpeg without its frame": JPEG.replace(b"\xff\xc0", b"\xff\xec"),
    "jpeg with two frames": JPEG[:_FRAME_BEGIN]
    + JPEG[_FRAME_BEGIN : _FRAME_BEGIN + 19] * 2
    + JPEG[_FRAME_BEGIN + 19 :],
    "jpeg grey, cut, with an end": saved(PHOTO.convert("L"), "JPEG")[:4000] + b"\xff\xd9",
    "jpeg cmyk, cut, with an end": saved(PHOTO.convert("CMYK"), "JPEG")[:9000] + b"\xff\xd9",
    "png, half of the rows": png(stream=zlib.compress(RAW[: len(RAW) // 2])),
    "png, all but one byte": png(stream=zlib.compress(RAW[:-1])),
    "png rgba, half of the rows": png(30, 44, 8, 6, zlib.compress(bytes(121 * 22))),
    "png interlaced, as many bytes as without": png(stream=zlib.compress(RAW), interlace=1),
    "png 1 bit, half of the rows": png(60, 44, 1, 0, zlib.compress(bytes(9 * 22))),
    "png palette, half of the rows": png(
        60, 44, 8, 3, zlib.compress(bytes(61 * 22)), chunk(b"PLTE", bytes(768))
    ),
    "png 16 bit, half of the rows": png(60, 44, 16, 0, zlib.compress(bytes(121 * 22))),
    "png without pixels": png(stream=b""),
    "png, wrong sum of the stream": png(stream=_STREAM[:-4] + b"abcd"),
    "png, wrong head of the stream": png(stream=b"\x78\0" + _STREAM[2:]),
    "png, stream cut": png(stream=_STREAM[: len(_STREAM) // 2]),
    "png, wrong sum of a chunk": _with_wrong_sum(png()[:-12]) + png()[-12:],
    "png, a filter that does not exist": png(stream=zlib.compress(b"\x07" + RAW[1:])),
    "png, two different headers": png(
        before=chunk(b"IHDR", struct.pack(">IIBBBBB", 44, 60, 8, 2, 0, 0, 0))
    ),
    "png palette without its palette": png(60, 44, 8, 3, zlib.compress(bytes(61 * 44))),
    "png, an impossible depth": png(depth=3),
}

_TEXT = chunk(b"tEXt", b"Comment\0hello")
ODD = {
    "jpeg, more behind its end": JPEG + b"abc",
    "jpeg, zeros in front of its end": JPEG[:-2] + bytes(50) + JPEG[-2:],
    "jpeg without its end": JPEG[:-2],
    "jpeg, bytes between segments": JPEG[:20] + b"abc" + JPEG[20:],
    "jpeg without the usual tables": JPEG.replace(b"\xff\xc4", b"\xff\xfe"),  # as in Motion JPEG
    "jpeg, scan parameters of 0": JPEG[: _SCAN - 1] + bytes(3) + JPEG[_SCAN + 2 :],
    "jpeg, short profile": JPEG[:2] + segment(0xE2, b"ICC_PROFILE\0") + JPEG[2:],
    "jpeg, profile without its parts": JPEG[:2] + segment(0xE2, b"ICC_PROFILE\0\3\7x") + JPEG[2:],
    "jpeg, short JFIF": JPEG[:2] + segment(0xE0, b"JFIF\0") + JPEG[20:],
    "jpeg, unknown version of JFIF": JPEG[:11] + b"\x07" + JPEG[12:],
    "jpeg, short Adobe": JPEG[:2] + segment(0xEE, b"Adobe") + JPEG[2:],
    "jpeg, unknown colours of Adobe": JPEG[:2]
    + segment(0xEE, b"Adobe\0\x64\0\0\0\0\x09")
    + JPEG[20:],
    "jpeg, short 8BIM": JPEG[:2] + segment(0xED, b"Photoshop 3.0\x008BIM") + JPEG[2:],
    "jpeg, short EXIF": JPEG[:2] + segment(0xE1, b"Exif\0\0") + JPEG[2:],
    "jpeg, broken index of pictures": JPEG[:2] + segment(0xE2, b"MPF\0II*\0") + JPEG[2:],
    "jpeg, a segment of no length": JPEG[:2] + b"\xff\xe5\0\0" + JPEG[2:],
    "png, a small window": png(
        400,
        80,
        stream=b"\x18\x19" + zlib.compress((b"\0" + _NOISE.tobytes()[:1200]) * 80)[2:],
    ),
    "png, a stream without its sum": png(stream=_STREAM[:-4]),
    "png, more rows than promised": png(stream=zlib.compress(RAW + RAW)),
    "png, more behind the stream": png(stream=_STREAM + b"abcdef"),
    "png, a stream in two parts": png(stream=_STREAM[:100], after=chunk(b"IDAT", _STREAM[100:])),
    "png, text between the parts": png(
        stream=_STREAM[:100], after=_TEXT + chunk(b"IDAT", _STREAM[100:])
    ),
    "png without its end": png()[:-12],
    "png, more behind its end": png() + b"abc",
    "png, an unknown critical chunk": png(before=chunk(b"ABCD", b"x")),
    "png, a header twice": png(
        before=chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0))
    ),
    "png, 2 MB of XMP": saved(Image.fromarray(PIXELS), "PNG", pnginfo=_XMP),
    "png, a text with a wrong sum": png(before=_with_wrong_sum(_TEXT)),
    "png, a text of unknown compression": png(before=chunk(b"zTXt", b"Comment\0\5abc")),
    "png, a text that does not unpack": png(before=chunk(b"zTXt", b"Comment\0\0abc")),
    "png, a text behind the pixels": png(after=_with_wrong_sum(_TEXT)),
    "png, short pHYs": png(before=chunk(b"pHYs", b"a")),
    "png, short acTL": png(before=chunk(b"acTL", b"a")),
    "png, short iCCP": png(before=chunk(b"iCCP", b"a")),
    "png, iCCP that does not unpack": png(before=chunk(b"iCCP", b"a\0\0zzzz")),
    "png, short eXIf": png(before=chunk(b"eXIf", b"II")),
    "png, short tRNS": png(before=chunk(b"tRNS", b"a")),
    "png, an odd palette": png(before=chunk(b"PLTE", b"abcd")),
    "png, a chunk that is cut": png()[:-12] + b"\0\1\0\0tEXtabc",
    "png, a raw profile that is no EXIF": png(
        before=chunk(b"tEXt", b"Raw profile type exif\0\nexif\n  4\nzzzz")
    ),
    "png, a raw profile that does not unpack": png(
        before=chunk(b"zTXt", b"Raw profile type exif\0\0abc")
    ),
}
