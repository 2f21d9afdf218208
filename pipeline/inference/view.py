"""Predictions for people: an aligned table, or small pictures beside bars on a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.inference import picture_files
from pipeline.inference.classifier import Prediction
from preprocessing.images import image_ops
from preprocessing.images.unusable import UnusableImageError
from preprocessing.sources import storage
from preprocessing.stage.options import PictureOptions
from preprocessing.text import one_line

THUMBNAIL_PX = 20
BAR_WIDTH = 24
# A terminal's cell is about twice as high as wide: its upper half is one pixel, the lower another.
_UPPER_HALF = "▀"
_FULL_BLOCKS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")


def table(predictions: Sequence[Prediction]) -> list[str]:
    """A line a prediction: the file, then classes and probabilities or the error."""
    files = [one_line(prediction.file) for prediction in predictions]
    file_width = max(map(len, files))
    widths = [len(one_line(name)) for prediction in predictions for name, _ in prediction.top_k]
    name_width = max(widths, default=0)
    lines = []
    for file, prediction in zip(files, predictions, strict=True):
        cells = [f"{one_line(name):<{name_width}} {value:.4f}" for name, value in prediction.top_k]
        answer = one_line(prediction.error or "  ".join(cells))
        lines.append(f"{file:<{file_width}}  {answer}")
    return lines


def show(console: Console, prediction: Prediction) -> None:
    """Prints the picture, small, and beside it its name and a bar a class."""
    text = Text(f"{one_line(prediction.file)}\n", style="bold")
    answers = [(one_line(name), value) for name, value in prediction.top_k]
    width = max((len(name) for name, _ in answers), default=0)
    for name, value in answers:
        text.append(f"{name:<{width}} ", style="not bold")
        text.append(f"{bar(value):<{BAR_WIDTH}}", style="not bold green")
        text.append(f" {value:.4f}\n", style="not bold")
    if prediction.error:
        text.append(one_line(prediction.error), style="not bold red")
    grid = Table.grid(padding=(0, 2))
    grid.add_row(thumbnail(prediction.file), text)
    console.print(grid)


def bar(value: float) -> str:
    """A bar for a value from 0 to 1, to an eighth of a cell."""
    eighths = round(value * BAR_WIDTH * 8)
    return "█" * (eighths // 8) + _FULL_BLOCKS[eighths % 8]


def thumbnail(file: str) -> Text:
    """The picture in half blocks, upright, over white; empty where it cannot be read."""
    try:
        pixels = image_ops.small_pixels(
            picture_files.read(file),
            max_side_px=THUMBNAIL_PX,
            max_pixels=PictureOptions().max_pixels,
        )
    except (storage.ReadError, UnusableImageError):
        return Text("")
    pixels = pixels.convert("RGB")
    pixels.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    text = Text()
    for row in range(0, pixels.height, 2):
        for column in range(pixels.width):
            upper = "#{:02x}{:02x}{:02x}".format(*pixels.getpixel((column, row)))
            style = upper
            if row + 1 < pixels.height:
                style += " on #{:02x}{:02x}{:02x}".format(*pixels.getpixel((column, row + 1)))
            text.append(_UPPER_HALF, style=style)
        text.append("\n")
    return text
