"""What a file is, by its first bytes and never by the ending of its name."""

import re

# The formats that are read, as Pillow names them.
JPEG, PNG, GIF, BMP, WEBP, TIFF, AVIF = "JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "AVIF"

_READ = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"RIFF....WEBP", WEBP),
    (b"II[*+]\0", TIFF),
    (b"MM\0[*+]", TIFF),
    (b"BM", BMP),
)
# Formats of pictures that are not read, and what often lies where a picture should be. They are
# looked for first.
_NOT_READ = (
    (b"\xff\x0a|\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\x89PNG\r\n\x1a\n....CgBI", "PNG as Xcode rewrites it for iOS (CgBI)"),
    (b"II\xbc\x01", "JPEG XR"),
    (b"II[*]\0....CR\x02\0|....ftypcrx |FUJIFILMCCD-RAW", "camera raw"),
    (b"8BPS", "Photoshop (PSD)"),
    (b"gimp xcf", "GIMP (XCF)"),
    (b"v/1\x01", "OpenEXR"),
    (b".{128}DICM", "DICOM"),
    (b"\0\0\x01\0", "ICO"),
    (b"%PDF", "PDF"),
    (b"PK\x03\x04", "ZIP"),
    (b"\x1f\x8b\x08", "gzip"),
    (b"version https://git-lfs", "Git LFS pointer (`git lfs pull` fetches the picture)"),
    (rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!DOCTYPE svg|<svg)", "SVG"),
    (rb"(?i)(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)*<(!DOCTYPE )?html", "HTML page"),
)
_SNIFFED_BYTES = 1024
_HEIF_BRANDS = frozenset(
    [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"]
)


def _compiled(table):
    return [(re.compile(pattern, re.DOTALL), name) for pattern, name in table]


_READ_PATTERNS, _NOT_READ_PATTERNS = _compiled(_READ), _compiled(_NOT_READ)


def format_of(data: bytes) -> str | None:
    """The format of a file that is read, as Pillow names it; None for every other file.

    A file that begins like a BMP may be something else: two letters do not say much.
    """
    if data.startswith(b"\xff\xd8\xff"):  # almost all files
        return JPEG
    first = data[:_SNIFFED_BYTES]
    if first[4:8] == b"ftyp" and not _brands(first).isdisjoint((b"avif", b"avis")):
        return AVIF
    if name_of_unread(first):
        return None
    return _first_match(_READ_PATTERNS, first)


def name_of_unread(data: bytes) -> str | None:
    """The name of a known format that is not read; None where the format is read or unknown."""
    first = data[:_SNIFFED_BYTES]
    name = _first_match(_NOT_READ_PATTERNS, first)
    if name or first[4:8] != b"ftyp":
        return name
    brands = _brands(first)
    if not brands.isdisjoint((b"avif", b"avis")):
        return None
    return "video" if brands.isdisjoint(_HEIF_BRANDS) else "HEIC (HEIF)"


def _first_match(patterns: list[tuple[re.Pattern[bytes], str]], first: bytes) -> str | None:
    return next((name for pattern, name in patterns if pattern.match(first)), None)


def _brands(first: bytes) -> set[bytes]:
    """What the `ftyp` box of an ISO media file says that it is: its major and other brands."""
    end = min(int.from_bytes(first[:4], "big"), len(first))
    return {first[8:12]} | {first[at : at + 4] for at in range(16, end - 3, 4)}
