"""Text on one line: nothing steers a terminal, and no letter of a script is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.errors import InputError
from preprocessing.text import is_one_line, one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain köpek 犬", "plain köpek 犬"),
        ("two\nlines\r", r"two\nlines\r"),
        ("\x1b[2Jred", r"\x1b[2Jred"),
        ("\x9b2J", r"\x9b2J"),
        ("back\\slash", "back\\slash"),
        ("\udcff\udc80", r"\xff\x80"),
        ("\ud800", r"\ud800"),
        ("a\u2028b\u202egpj", r"a\u2028b\u202egpj"),
        (
            "\u0645\u06cc\u200c\U0001f468\u200d\U0001f469",
            "\u0645\u06cc\u200c\U0001f468\u200d\U0001f469",
        ),
        ("\xa0\u3000\U0001fae0", "\xa0\u3000\U0001fae0"),
    ],
)
def test_what_is_escaped(text, shown):
    assert one_line(text) == shown
    assert is_one_line(text) == (text == shown)
    assert str(InputError(text)) == shown


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_becomes_one_line_that_every_terminal_can_show(text):
    shown = one_line(text)
    assert is_one_line(shown)
    assert len(shown.splitlines()) <= 1
    assert shown.encode() or not text
    assert one_line(shown) == shown
