"""Text that can be shown on a line: what may stand in it, and how the rest is escaped."""

import os
import re
import unicodedata

# Control characters, lone surrogates, line and paragraph separators, and characters without a
# glyph, among them those that turn the direction of a line.
_ESCAPED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp", "Cf"})
# Without a glyph, but part of words and emoji: the zero-width (non-)joiners, and tags.
_JOINERS = frozenset({"\u200c", "\u200d", *map(chr, range(0xE0020, 0xE0080))})
# How `os.fsdecode` writes the bytes of a name that are no UTF-8.
_FIRST_BYTE_SURROGATE, _LAST_BYTE_SURROGATE = 0xDC80, 0xDCFF


# Up to the last @ of a word: a password may hold any character.
_PASSWORD_IN_URI = re.compile(r"(\w[\w+.-]*://[^\s:/@]*):\S*@")


def is_one_line(text: str) -> bool:
    """Whether a text can be shown on a line as it is."""
    return text.isprintable() or all(map(_is_shown, text))


def one_line(text: str) -> str:
    r"""The text, with what would break a line or steer a terminal escaped: `\n`, `\x1b`."""
    if text.isprintable():
        return text
    return "".join(char if _is_shown(char) else _escaped(char) for char in text)


def path_text(path: str) -> str:
    r"""A path as UTF-8 can hold it: bytes of it that are no UTF-8 as `\xff`."""
    return os.fsencode(path).decode(errors="backslashreplace")


def without_passwords(text: str) -> str:
    """The text, with `***` for the password of each URI in it, as in `mysql://me:***@host`."""
    return _PASSWORD_IN_URI.sub(r"\1:***@", text)


def _is_shown(char: str) -> bool:
    return unicodedata.category(char) not in _ESCAPED_CATEGORIES or char in _JOINERS


def _escaped(char: str) -> str:
    code = ord(char)
    if _FIRST_BYTE_SURROGATE <= code <= _LAST_BYTE_SURROGATE:
        return f"\\x{code - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")
