"""Files whose pixels Pillow decodes: GIF, BMP, WebP, TIFF and AVIF.

The plugins are called by name: `Image.open` would check the pixels against a limit that holds for
the whole process, where ours is an argument.
"""

import io

import numpy as np
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    TiffImagePlugin,
    WebPImagePlugin,
)

from preprocessing.images import formats, jpeg_file, jpeg_pixels, orientation
from preprocessing.images.unusable import UNSUPPORTED, UnusableImageError

_PLUGINS = {
    formats.GIF: GifImagePlugin.GifImageFile,
    formats.BMP: BmpImagePlugin.BmpImageFile,
    formats.WEBP: WebPImagePlugin.WebPImageFile,
    formats.TIFF: TiffImagePlugin.TiffImageFile,
    formats.AVIF: AvifImagePlugin.AvifImageFile,
}
# Tags of TIFF, and values of theirs.
_SUBFILE_TYPE, _COMPRESSION, _PHOTOMETRIC, _DNG_VERSION = 254, 259, 262, 50_706
_JPEG_TABLES, _STRIPS, _TILES = 347, (273, 279), (324, 325)  # offsets and byte counts
_REDUCED, _JPEG, _WHITE_IS_ZERO = 1, 7, 0


def open_file(data: bytes, file_format: str) -> ImageFile.ImageFile:
    """Opens a file, decoding no pixels.

    Raises:
      UnusableImageError: its first picture is only a preview, as in camera raw files, or this
        Pillow has no AVIF.
      Exception: of any type, from a damaged file.
    """
    if file_format == formats.AVIF and not AvifImagePlugin.SUPPORTED:
        raise UnusableImageError(UNSUPPORTED, "AVIF, which this Pillow was built without")
    image = _PLUGINS[file_format](io.BytesIO(data))
    if file_format == formats.TIFF:
        tags = image.tag_v2
        if _DNG_VERSION in tags or tags.get(_SUBFILE_TYPE, 0) & _REDUCED:
            raise UnusableImageError(UNSUPPORTED, "camera raw (TIFF with a preview in front)")
    return image


def load(image: ImageFile.ImageFile) -> Image.Image:
    """Decodes the first frame as it is stored.

    Raises:
      ValueError: the file holds fewer pixels than its header promises.
      Exception: of any type, from a damaged file.
    """
    # Each tile is a rectangle of pixels; none overlaps another. GIF's frame may be smaller.
    if image.format != formats.GIF and image.tile:
        boxes = [tile.extents or (0, 0, *image.size) for tile in image.tile]
        found = sum((right - left) * (lower - upper) for left, upper, right, lower in boxes)
        if found < image.width * image.height:
            total = image.width * image.height
            raise ValueError(f"the file holds {found} pixels, {total} were expected")
    if image.format == formats.TIFF and image.tag_v2.get(_COMPRESSION) == _JPEG:
        _check_jpeg_parts(image)
    image.load()
    inverted = image.format == formats.TIFF and image.mode.startswith("I;16")
    if inverted and image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        return Image.fromarray(65_535 - np.asarray(image).astype(np.uint16))
    return image


def _check_jpeg_parts(image: TiffImagePlugin.TiffImageFile) -> None:
    """Raises ValueError where libjpeg complains of a strip or tile, which libtiff keeps silent."""
    tags = image.tag_v2
    offsets_tag, counts_tag = _TILES if _TILES[0] in tags else _STRIPS
    tables = bytes(tags.get(_JPEG_TABLES, b"")).removesuffix(jpeg_file.END_MARKER)
    for offset, count in zip(tags[offsets_tag], tags[counts_tag], strict=True):
        image.fp.seek(offset)
        part = image.fp.read(count)
        # Tables first, and then the part without its start marker.
        data = tables + part[2:] if tables else part
        jpeg_pixels.decode(jpeg_file.JpegFile.parse(data), None)


def orientation_of(image: ImageFile.ImageFile) -> int:
    """The orientation of an opened file, 1 to 8; TIFF's Pillow applies while it decodes."""
    if image.format == formats.TIFF:
        return orientation.UPRIGHT
    return orientation.of_exif(image.info.get("exif"))


def is_lossy(image: ImageFile.ImageFile, data: bytes) -> bool:
    """Whether a file's pixels were compressed with loss."""
    if image.format == formats.WEBP:
        # An extended WebP (VP8X) may hold either; it counts as lossy, which is the common case.
        return data[12:16] != b"VP8L"
    if image.format == formats.TIFF:
        return image.info.get("compression") in ("jpeg", "tiff_jpeg", "webp")
    return image.format == formats.AVIF
