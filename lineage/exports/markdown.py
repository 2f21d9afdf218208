"""Values as Markdown that shows them as they are, also in tables."""

import math
import re
from typing import Any

from preprocessing.text import one_line

_MARKS = re.compile(r"([\\`*_\[\]{}|~#])")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def text(value: Any) -> str:
    r"""A text on one line, without a meaning to Markdown: `a\_b`."""
    shown = "".join(_HTML.get(char, char) for char in one_line(str(value)))
    return _MARKS.sub(r"\\\1", shown)


def code(value: Any) -> str:
    """A value as it is, in the font of code."""
    shown = one_line(str(value)).replace("|", r"\|")
    if not shown.strip():
        return shown
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{space}{shown}{space}{fence}"


def number(value: float | None) -> str:
    """With four decimals; empty for what is not known."""
    if value is None:
        return ""
    return f"{value:.4f}" if math.isfinite(value) else "not finite"
