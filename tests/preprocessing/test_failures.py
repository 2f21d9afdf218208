import pytest

from preprocessing import failures
from preprocessing.errors import InputError


def _raised(error: Exception, cause: Exception) -> Exception:
    try:
        raise error from cause
    except Exception as caught:
        return caught


def test_input_error_anywhere_in_the_chain_is_the_persons():
    error = _raised(RuntimeError("x"), _raised(ValueError("y"), InputError("add more images")))
    assert failures.one_line(error) == "add more images"
    assert failures.status_of(error) == 2


def test_last_line_of_a_workers_traceback():
    text = (
        "Traceback (most recent call last):\n  File ...\nOSError: disk full [while running 'W']\n"
    )
    assert failures.one_line(RuntimeError(text)) == "OSError: disk full [while running 'W']"


@pytest.mark.parametrize(
    ("error", "line", "status"),
    [
        (KeyError("a"), "KeyError: 'a'", 3),
        (RuntimeError(), "RuntimeError", 3),
        (KeyboardInterrupt(), "interrupted", 130),
        (SystemExit(143), "interrupted", 143),
    ],
)
def test_lines_and_statuses(error, line, status):
    assert failures.one_line(error) == line
    assert failures.status_of(error) == status
