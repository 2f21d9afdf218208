"""Files of class names, one per line: `labels.txt` and `data.class_names_file`.

All that read such a file read it here, so that a name is the same text and the same number in
training, evaluation and serving.
"""

from collections.abc import Iterable

from preprocessing.errors import InputError
from preprocessing.text import is_one_line


def parse_class_names(data: bytes, path: str) -> tuple[str, ...]:
    r"""The names of a file, line by line.

    A line ends with `\n` or `\r\n`; the last one need not. A byte order mark is left out.

    Args:
      data: what the file holds.
      path: of the file, for the message.

    Raises:
      InputError: it is no UTF-8, has fewer than two names, a name twice, or a line that is no
        class name: an empty one, one with spaces at its ends, one with control characters.
    """
    try:
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise _refused(path, f"byte {error.start} is no UTF-8") from None
    if not lines[-1]:
        del lines[-1]
    names: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        name = line.removesuffix("\r")
        if not is_class_text(name):
            raise _refused(path, f"line {number} is {name!r}")
        if name in names:
            raise _refused(path, f"line {number} is {name!r}, and so is line {names[name]}")
        names[name] = number
    if len(names) < 2:
        raise _refused(path, f"it has {len(names)}")
    return tuple(names)


def format_class_names(names: Iterable[str]) -> str:
    """The content of a file of class names."""
    return "".join(f"{name}\n" for name in names)


def is_class_text(text: str) -> bool:
    """Whether a text can be a class name: one line, without spaces at its ends, and not empty."""
    return bool(text) and text == text.strip() and is_one_line(text)


def _refused(path: str, problem: str) -> InputError:
    return InputError(
        "a file of class names must have two names or more, one per line, all different, printable "
        f"and without spaces at their ends. Received: {path!r}: {problem}"
    )
