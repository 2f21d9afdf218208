"""One way to look at a picture file, whatever its format: its size first, its pixels when asked."""

from dataclasses import dataclass, field
from typing import Protocol

from PIL import Image, ImageFile

from preprocessing.images import formats, jpeg_file, jpeg_pixels, pillow_file, png_file, png_pixels
from preprocessing.images.colors import RGB
from preprocessing.images.jpeg_file import JpegFile
from preprocessing.images.modes import eight_bit
from preprocessing.images.orientation import UPRIGHT, of_exif
from preprocessing.images.unusable import (
    DAMAGED,
    EMPTY,
    UNKNOWN_FORMAT,
    UNSUPPORTED,
    UnusableImageError,
)


@dataclass(frozen=True)
class Decoded:
    """The pixels of a file.

    Attributes:
      pixels: mode `L` or `RGB`, rows and columns as stored.
      orientation: how they are to be shown, 1 to 8.
      lossless: whether the file keeps each of them exactly.
      file: a JPEG or PNG file that every decoder decodes to exactly these pixels, completely and
        without a complaint: the file itself, or the same compressed pixels without what is wrong
        in the metadata. None where there is no such file.
    """

    pixels: Image.Image
    orientation: int
    lossless: bool
    file: bytes | None = None


class Picture(Protocol):
    """A file whose header was read.

    Attributes:
      format: `jpeg`, `png`, `gif`, `bmp`, `webp`, `tiff` or `avif`.
      size: (width, height) as stored, pixels, 1 or more each.
    """

    format: str
    size: tuple[int, int]

    def decode(self, enough: tuple[int, int] | None, background: RGB, gray16: str) -> Decoded:
        """Decodes it.

        Args:
          enough: (width, height) in pixels that the caller needs; the result may have any size
            from that up. None for all pixels.
          background: red, green, blue, 0 to 255, of what shows through transparent parts.
          gray16: what becomes of 16-bit grey; see `preprocessing.images.gray16`.

        Raises:
          Exception: of any type, where the file is damaged; the message is the decoder's.
        """


def open_picture(data: bytes) -> Picture:
    """Reads the header of a file, decoding no pixels.

    Raises:
      UnusableImageError: empty, no picture, of a format that is not read, or damaged.
    """
    if not data:
        raise UnusableImageError(EMPTY)
    file_format = formats.format_of(data)
    if file_format is None:
        name = formats.name_of_unread(data)
        raise UnusableImageError(UNSUPPORTED if name else UNKNOWN_FORMAT, name or "")
    try:
        if file_format == formats.JPEG:
            return _JpegPicture.open(data)
        if file_format == formats.PNG:
            return _PngPicture.open(data)
        return _OtherPicture.open(data, file_format)
    except (MemoryError, UnusableImageError):
        raise
    except Exception as error:  # decoders meet hostile bytes: their errors are of any type
        reason = UNKNOWN_FORMAT if file_format == formats.BMP else DAMAGED
        raise UnusableImageError(reason, str(error)) from error


@dataclass
class _JpegPicture:
    data: bytes
    size: tuple[int, int]
    format: str = field(default="jpeg", init=False)

    @classmethod
    def open(cls, data: bytes) -> "_JpegPicture":
        header = JpegFile.parse(data, header_only=True)
        if not header.frame:
            raise ValueError("there is no SOF, the header of the frame")
        if not header.width or not header.height:
            raise ValueError(f"Empty JPEG image: {header.width} x {header.height} (no DNL is read)")
        return cls(data, (header.width, header.height))

    def decode(self, enough: tuple[int, int] | None, background: RGB, gray16: str) -> Decoded:
        file = JpegFile.parse(self.data)
        file.check_scans()
        orientation = of_exif(file.exif)
        whole = enough is None and orientation == UPRIGHT and file.frame == jpeg_file.BASELINE
        passes = whole and file.depth == 8 and file.components in (1, 3)
        if passes and file.end == len(self.data) and jpeg_pixels.is_plain_for_pillow(file):
            try:
                pixels = jpeg_pixels.strict_pixels(file, self.data, None)
                return Decoded(pixels, orientation, False, self.data)
            except ValueError:  # the same without metadata may do
                pass
        pixels, plain = jpeg_pixels.decode(file, enough)
        pixels = eight_bit(pixels, background, gray16)
        return Decoded(pixels, orientation, False, plain if passes else None)


@dataclass
class _PngPicture:
    data: bytes
    size: tuple[int, int]
    format: str = field(default="png", init=False)

    @classmethod
    def open(cls, data: bytes) -> "_PngPicture":
        size = png_file.read_size(data)
        if size is None:
            raise ValueError("there is no IHDR, the header")
        return cls(data, size)

    def decode(self, enough: tuple[int, int] | None, background: RGB, gray16: str) -> Decoded:
        png = png_file.parse(self.data)
        clean = png_file.check_stream(png)
        pixels = png_pixels.decode(png, background, gray16)
        passes = clean and png.depth == 8 and png.color in (png_file.GREY, png_file.RGB)
        file = None
        if passes and png.transparency is None and png.orientation == UPRIGHT:
            file = self.data if png.quiet else png.plain()
        return Decoded(pixels, png.orientation, True, file)


@dataclass
class _OtherPicture:
    data: bytes
    image: ImageFile.ImageFile
    format: str
    size: tuple[int, int]

    @classmethod
    def open(cls, data: bytes, file_format: str) -> "_OtherPicture":
        image = pillow_file.open_file(data, file_format)
        if image.width < 1 or image.height < 1:
            raise ValueError(f"the header promises {image.width} x {image.height} pixels")
        return cls(data, image, file_format.lower(), image.size)

    def decode(self, enough: tuple[int, int] | None, background: RGB, gray16: str) -> Decoded:
        orientation = pillow_file.orientation_of(self.image)
        lossless = not pillow_file.is_lossy(self.image, self.data)
        pixels = eight_bit(pillow_file.load(self.image), background, gray16)
        return Decoded(pixels, orientation, lossless)
