"""Counts the blocks of a JPEG whose sampling of colours TurboJPEG does not read, as 4x2 or 3x1.

Pillow and TensorFlow decode such files, in silence about what is missing or damaged. So the codes
of the compressed pixels are read here, and their values left alone: ITU-T T.81, F.2.2.
"""

import re
from collections.abc import Sequence

import numpy as np

from preprocessing.images.jpeg_file import END_MARKER, JpegFile
from preprocessing.images.unusable import UNSUPPORTED, UnusableImageError

_HUFFMAN = (0xC0, 0xC1)  # second bytes of the frames' markers: sequential, with Huffman codes
_TABLES, _INTERVAL = 0xC4, 0xDD
_RESTART = re.compile(rb"\xff+[\xd0-\xd7]")
_BLOCK_PX, _COEFFICIENTS = 8, 64
_CODE_BITS = 16
_NO_MORE, _SIXTEEN_ZEROS = 0x00, 0xF0

# By the next 16 bits: 256 * the bits of the code + what it stands for; 0 where there is no code.
_Table = list[int]


def check(data: bytes) -> None:
    """Looks whether the compressed pixels are the blocks that the header promises, and no more.

    Args:
      data: a colour picture in its plain form.

    Raises:
      ValueError: some blocks are missing or damaged.
      UnusableImageError: they are coded in another way than almost all are.
    """
    file = JpegFile.parse(data)
    if file.frame not in _HUFFMAN or not file.is_one_scan:
        raise UnusableImageError(UNSUPPORTED, "JPEG with an unusual colour sampling and coding")
    tables = _tables(file)
    blocks = []  # the two tables of each block of a unit, in the order of the scan
    for component, selected in zip(file.sampling, file.scan_tables, strict=True):
        pair = tables.get(selected >> 4), tables.get(16 | selected & 15)
        if None in pair:
            raise ValueError(f"a Huffman table is missing: {selected:#04x}")
        blocks += [pair] * ((component >> 4) * (component & 15))
    units = _units(file)
    interval = int.from_bytes(b"".join(file.bodies(_INTERVAL)[-1:])[:2], "big") or units
    parts = _RESTART.split(data[file.pixels_at : -len(END_MARKER)])
    if len(parts) != -(-units // interval):
        raise ValueError(f"{len(parts)} restart intervals, {-(-units // interval)} were expected")
    for number, part in enumerate(parts):
        _check_part(part, blocks, min(interval, units - number * interval))


def _units(file: JpegFile) -> int:
    """How many groups of blocks, of all components, cover the picture."""
    columns = max(component >> 4 for component in file.sampling) * _BLOCK_PX
    rows = max(component & 15 for component in file.sampling) * _BLOCK_PX
    return -(-file.width // columns) * -(-file.height // rows)


def _tables(file: JpegFile) -> dict[int, _Table]:
    """The Huffman tables, by 16 * class + number as the file has them: class 0 DC, 1 AC."""
    tables = {}
    for body in file.bodies(_TABLES):
        while len(body) > _CODE_BITS:
            name, counts = body[0], body[1 : 1 + _CODE_BITS]
            symbols = body[1 + _CODE_BITS :][: sum(counts)]
            table, begin, at = np.zeros(1 << _CODE_BITS, np.int64), 0, 0
            for bits, count in enumerate(counts, 1):
                for symbol in symbols[at : at + count]:
                    end = begin + (1 << _CODE_BITS - bits)
                    table[begin:end] = bits << 8 | symbol
                    begin = end
                at += count
            tables[name] = table.tolist()
            body = body[1 + _CODE_BITS + sum(counts) :]
    return tables


def _check_part(part: bytes, blocks: Sequence[tuple[_Table, _Table]], units: int) -> None:
    """Reads the codes between two restarts.

    Raises:
      ValueError: there are fewer or more than those of `units` times `blocks`.
    """
    part = part.replace(b"\xff\0", b"\xff")
    padded, at = part + bytes(4), 0
    for _ in range(units):
        for dc, ac in blocks:
            table, coefficient = dc, 0
            while coefficient < _COEFFICIENTS:
                first = at >> 3
                window = int.from_bytes(padded[first : first + 3], "big") >> 8 - (at & 7)
                code = table[window & 0xFFFF]
                if not code:
                    raise ValueError("Corrupt JPEG data: bad Huffman code")
                symbol = code & 255
                at += (code >> 8) + (symbol & 15)
                if table is dc:
                    table, coefficient = ac, 1
                elif symbol == _NO_MORE:
                    break
                elif symbol & 15 or symbol == _SIXTEEN_ZEROS:
                    coefficient += (symbol >> 4) + 1
                else:
                    raise ValueError("Corrupt JPEG data: bad Huffman code")
            if coefficient > _COEFFICIENTS:
                raise ValueError("Corrupt JPEG data: a block of more than 64 values")
        if at > 8 * len(part):
            raise ValueError("Corrupt JPEG data: premature end of data segment")
    if rest := len(part) - (at + 7) // 8:
        raise ValueError(f"Corrupt JPEG data: {rest} extraneous bytes before marker 0xd9")
