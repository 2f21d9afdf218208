"""The EXIF orientation: how the stored rows and columns are to be shown.

trainer_module/decoding/orientation.py reads the same in the graph of the served model. What counts
is the tag 0x0112 of the first directory, one whole number of any type, from 1 to 8. Orientation in
XMP does not count.
"""

import struct

from PIL import Image

UPRIGHT = 1
EXIF_NAME = b"Exif\0\0"
_ORIENTATION_TAG = 0x0112
_ENTRY_BYTES, _MAX_ENTRIES = 12, 1024
# By type: BYTE, SHORT, LONG, and the same with a sign, which no value from 1 to 8 has.
_TYPES = {1: "B", 3: "H", 4: "I", 6: "B", 8: "H", 9: "I"}


def of_exif(block: bytes | None) -> int:
    """The orientation that an EXIF block gives.

    Args:
      block: from its TIFF header on, or from the name `Exif` in front of it; None for no block.

    Returns:
      1 to 8; 1 (upright) where there is none, or the block makes no sense.
    """
    block = (block or b"").removeprefix(EXIF_NAME)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(block[:4]))
    if order is None or len(block) < 8:
        return UPRIGHT
    [directory] = struct.unpack_from(f"{order}I", block, 4)
    if directory + 2 > len(block):
        return UPRIGHT
    [count] = struct.unpack_from(f"{order}H", block, directory)
    found = UPRIGHT
    for entry in range(min(count, _MAX_ENTRIES)):
        at = directory + 2 + entry * _ENTRY_BYTES
        if at + _ENTRY_BYTES > len(block):
            break
        tag, kind, values = struct.unpack_from(f"{order}HHI", block, at)
        if tag == _ORIENTATION_TAG and kind in _TYPES and values == 1:
            # Of several the last counts, as for other readers.
            [found] = struct.unpack_from(f"{order}{_TYPES[kind]}", block, at + 8)
    return found if 1 <= found <= 8 else UPRIGHT


def upright(pixels: Image.Image, orientation: int) -> Image.Image:
    """Turns and mirrors stored pixels so that they stand upright.

    Args:
      pixels: as stored.
      orientation: as `of_exif` gives it.
    """
    method = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }.get(orientation)
    return pixels if method is None else pixels.transpose(method)
