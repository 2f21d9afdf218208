"""Files of class names: one reader, for what people's editors make of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.errors import InputError
from preprocessing.files.class_names import (
    format_class_names,
    is_class_text,
    parse_class_names,
)


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ("ant\nbee\n", ("ant", "bee")),
        ("ant\nbee", ("ant", "bee")),
        ("ant\r\nbee\r\n", ("ant", "bee")),
        ("\ufeffant\r\nbee", ("ant", "bee")),
        ("big cat\na\u200cb\n", ("big cat", "a\u200cb")),
    ],
)  # fmt: skip
def test_lines_are_names(data, names):
    assert parse_class_names(data.encode(), "labels.txt") == names


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"ant\n\nbee\n", "line 2 is ''"),
        (b"ant\nbee\n\n", "line 3 is ''"),
        (b"\r\nant\nbee\n", "line 1 is ''"),
        (b"ant\nbee \n", "line 2 is 'bee '"),
        (b"ant\n\tbee\n", r"line 2 is '\tbee'"),
        (b"ant\rbee\rcow\r", r"line 1 is 'ant\rbee\rcow'"),
        (b"ant\nbee\nant\r\n", "line 3 is 'ant', and so is line 1"),
        (b"ant\n\x1b[2J\n", r"line 2 is '\x1b[2J'"),
        (b"ant\nb\xffe\n", "byte 5 is no UTF-8"),
        (b"ant\n", "it has 1"),
        (b"", "it has 0"),
    ],
)
def test_what_is_no_name_is_refused_with_its_line(data, problem):
    with pytest.raises(InputError) as caught:
        parse_class_names(data, "some/labels.txt")
    assert str(caught.value).endswith(f"Received: 'some/labels.txt': {problem}")


texts = st.text(st.characters(exclude_categories=()), max_size=8)


@given(st.lists(texts.filter(is_class_text), min_size=2, unique=True))
def test_names_come_back_from_their_file(names):
    data = format_class_names(names).encode()
    assert parse_class_names(data, "x") == tuple(names)
    assert parse_class_names(data.replace(b"\n", b"\r\n"), "x") == tuple(names)


@given(texts)
def test_whatever_is_a_class_name_is_a_line_of_its_own(text):
    if is_class_text(text):
        assert text.splitlines() == [text]
        assert text.encode()
