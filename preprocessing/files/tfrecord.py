"""TFRecord files, read without TensorFlow.

The format: length (uint64), CRC of the length (uint32), the record, its CRC (uint32).

Why not TensorFlow's readers: they take seconds to import, cannot say where a record lies, which
random access needs, and claim a GPU in a data step. Why not Beam's: they read whole files.
"""

import struct
from collections.abc import Container, Iterator
from typing import BinaryIO

import google_crc32c

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
HEADER_BYTES = _HEADER.size
FOOTER_BYTES = _FOOTER.size


class DamagedFileError(ValueError):
    """A file is truncated or corrupted.

    Attributes:
      position: up to this byte it is whole.
    """

    def __init__(self, what: str, position: int):
        super().__init__(f"{what} at byte {position}")
        self.position = position


def read_records(file: BinaryIO) -> Iterator[bytes]:
    """Yields the records of an uncompressed file from its current place on, all sums checked.

    Raises:
      DamagedFileError: it is truncated or corrupted.
    """
    position = 0
    while header := file.read(HEADER_BYTES):
        length = record_length(header, position)
        body = file.read(length + FOOTER_BYTES)
        if len(body) < length + FOOTER_BYTES:
            raise DamagedFileError("truncated", position)
        record = checked_record(body)
        if record is None:
            raise DamagedFileError("corrupted", position)
        yield record
        position += HEADER_BYTES + len(body)


def record_spans(file: BinaryIO, num_bytes: int) -> Iterator[tuple[int, int, int]]:
    """Yields where each record lies, reading only what is around them.

    Args:
      file: uncompressed; it is sought in.
      num_bytes: its size.

    Yields:
      (offset, length, checksum) of the record itself; the checksum is the one that follows it in
      the file, and is not checked.

    Raises:
      DamagedFileError: it is truncated, or a header is corrupted.
    """
    position = 0
    file.seek(position)
    header = file.read(HEADER_BYTES)
    while position < num_bytes:
        length = record_length(header, position)
        end = position + HEADER_BYTES + length + FOOTER_BYTES
        if end > num_bytes:
            raise DamagedFileError("truncated", position)
        # The checksum, and the header of the next record, which follows it.
        file.seek(end - FOOTER_BYTES)
        around = file.read(FOOTER_BYTES + HEADER_BYTES)
        (checksum,) = _FOOTER.unpack(around[:FOOTER_BYTES])
        yield position + HEADER_BYTES, length, checksum
        position, header = end, around[FOOTER_BYTES:]


def records_at(
    file: BinaryIO, num_bytes: int, positions: Container[int]
) -> Iterator[tuple[int, bytes]]:
    """Yields some records with their positions, reading no others.

    Args:
      file: uncompressed; it is sought in.
      num_bytes: its size.
      positions: of the records, from 0.

    Raises:
      DamagedFileError: as `record_spans`, or one of the records is corrupted.
    """
    for position, (offset, length, _) in enumerate(record_spans(file, num_bytes)):
        if position in positions:
            file.seek(offset)
            record = checked_record(file.read(length + FOOTER_BYTES))
            if record is None:
                raise DamagedFileError("corrupted", offset)
            yield position, record


def record_length(header: bytes, position: int) -> int:
    """The length that a record's header says.

    Args:
      header: `HEADER_BYTES` bytes.
      position: where it lies, for the message.

    Raises:
      DamagedFileError: it is too short, or its checksum is wrong.
    """
    if len(header) < HEADER_BYTES:
        raise DamagedFileError("truncated", position)
    length, crc = _HEADER.unpack(header)
    if masked_crc(header[:8]) != crc:
        raise DamagedFileError("corrupted", position)
    return length


def checked_record(body: bytes) -> bytes | None:
    """The record of a body, which is the record and its checksum; None where they disagree."""
    record = body[:-FOOTER_BYTES]
    (crc,) = _FOOTER.unpack(body[-FOOTER_BYTES:])
    return record if masked_crc(record) == crc else None


def masked_crc(data: bytes) -> int:
    """The checksum of the format: a rotated CRC-32C plus a constant, modulo 2**32."""
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
