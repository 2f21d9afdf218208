"""BMP files of every header, depth and compression that Pillow reads, made byte by byte."""

import itertools
import struct

import numpy as np

WIDTH, HEIGHT = 13, 9
OS_2, INFO = 12, 40  # bytes of the oldest header, and of the usual one
HEADERS = (OS_2, INFO, 52, 56, 64, 108, 124)
RAW, RLE_8, RLE_4, BIT_FIELDS = range(4)
# By bits a pixel: masks of red, green, blue and alpha.
MASKS = {
    16: ((0xF800, 0x7E0, 0x1F, 0), (0x7C00, 0x3E0, 0x1F, 0)),
    24: ((0xFF0000, 0xFF00, 0xFF, 0),),
    32: (
        (0xFF0000, 0xFF00, 0xFF, 0),
        (0xFF000000, 0xFF0000, 0xFF00, 0),
        (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
        (0xFF000000, 0xFF0000, 0xFF00, 0xFF),
    ),
}


def _runs(row: list[int], low_bits: int) -> bytes:
    found = ((len(list(same)), value << low_bits) for value, same in itertools.groupby(row))
    return b"".join(map(bytes, found)) + b"\0\0"


def _body(bits: int, compression: int) -> bytes:
    """Pixels, the lowest row first."""
    rng = np.random.default_rng(bits)
    if bits > 8:
        rows = rng.integers(0, 256, (HEIGHT, WIDTH * bits // 8), np.uint8)
        return b"".join(row.tobytes() + bytes(-row.size % 4) for row in rows)
    indices = rng.integers(0, 1 << bits, (HEIGHT, WIDTH))
    indices[:, 3:8] = indices[:, 3:4]
    if compression in (RLE_8, RLE_4):
        return b"".join(_runs(row, 8 - bits) for row in indices.tolist()) + b"\0\1"
    rows = ["".join(f"{value:0{bits}b}" for value in row) for row in indices]
    rows = [row + "0" * (-len(row) % 32) for row in rows]
    return b"".join(int(row, 2).to_bytes(len(row) // 8, "big") for row in rows)


def bmp(header: int, bits: int, compression: int = RAW, masks: tuple[int, ...] = (0,) * 4) -> bytes:
    """A picture of 13 x 9 pixels of noise.

    Args:
      header: bytes of its second header, of `HEADERS`.
      bits: a pixel's.
      compression: as the header has it.
      masks: where a pixel's bits have which colour, of `MASKS`.
    """
    palette = b""
    if bits <= 8:
        colors = np.random.default_rng(7).integers(0, 256, (1 << bits, 3), np.uint8)
        palette = b"".join(c.tobytes() + bytes(header != OS_2) for c in colors)
    body, extra = _body(bits, compression), b""
    if header == OS_2:
        info = struct.pack("<IHHHH", OS_2, WIDTH, HEIGHT, 1, bits)
    else:
        values = (header, WIDTH, HEIGHT, 1, bits, compression, len(body), 0, 0, 0, 0)
        info, fields = struct.pack("<IiiHHIIiiII", *values), struct.pack("<IIII", *masks)
        info += (fields + bytes(80))[: header - INFO]
        extra = fields[:12] if header == INFO and compression == BIT_FIELDS else b""
    start = 14 + len(info) + len(extra) + len(palette)
    head = b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start)
    return head + info + extra + palette + body


def _all() -> dict[str, bytes]:
    files = {}
    for header in HEADERS:
        depths = (1, 4, 8, 24) if header == OS_2 else (1, 4, 8, 16, 24, 32)
        files |= {f"{header} bytes, {bits} bits": bmp(header, bits) for bits in depths}
        if header != OS_2:
            files[f"{header} bytes, runs of 8 bits"] = bmp(header, 8, RLE_8)
            files[f"{header} bytes, runs of 4 bits"] = bmp(header, 4, RLE_4)
            for bits, choices in MASKS.items():
                for masks in choices[: 2 if header < 56 else None]:  # room for three masks only
                    name = f"{header} bytes, {bits} bits, masks {' '.join(map(hex, masks))}"
                    files[name] = bmp(header, bits, BIT_FIELDS, masks)
    return files


BMPS = _all()
