"""The colour that shows through where a picture is transparent."""

from collections.abc import Sequence

from PIL import ImageColor

RGB = tuple[int, int, int]
WHITE: RGB = (255, 255, 255)


def parse_color(value: str | Sequence[int]) -> RGB:
    """Reads a colour.

    Args:
      value: a CSS name (`white`), `#rrggbb`, or three numbers, 0 to 255: red, green, blue.

    Returns:
      Red, green and blue, 0 to 255 each.

    Raises:
      ValueError: it is none of these.
    """
    if isinstance(value, str):
        try:
            color = ImageColor.getrgb(value)
        except ValueError:
            color = ()
    else:
        color = tuple(value)
    plain = all(isinstance(part, int) and not isinstance(part, bool) for part in color)
    if len(color) != 3 or not plain or not all(0 <= part <= 255 for part in color):
        raise ValueError(
            "a colour must be a CSS name such as white, #rrggbb, or three numbers from 0 to 255. "
            f"Received: {value!r}"
        )
    return color


def color_code(color: RGB) -> str:
    """`#rrggbb` of a colour."""
    return "#{:02x}{:02x}{:02x}".format(*color)
