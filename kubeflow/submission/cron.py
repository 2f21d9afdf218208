"""Times of recurring runs, as Kubeflow Pipelines takes them.

Its schedules have six fields, of which the first is the second (github.com/robfig/cron, version 1).
With the five of crontab it takes minutes for seconds, and runs each hour what was meant for each
day. Libraries for Python know other dialects.
"""

import re

from preprocessing.errors import InputError

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# Each field: its name, the smallest and largest value, and names of values.
_FIELDS = (
    ("second", 0, 59, {}),
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: i + 1 for i, name in enumerate(_MONTHS)}),
    ("day of the week", 0, 6, {name: i for i, name in enumerate(_DAYS)}),
)
_NAMED = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_EVERY = re.compile(r"@every ([0-9]+(\.[0-9]+)?(h|m|s))+")
_PART = re.compile(r"(?:(\*|\?)|(\w+)(?:-(\w+))?)(?:/([0-9]+))?")


def six_fields(text: str) -> str:
    """A schedule with its seconds.

    Args:
      text: five fields as in crontab, six with the second before them, or `@daily` and the like.

    Raises:
      InputError: it is no schedule; one line with the field that is wrong.
    """
    fields = text.split()
    if text.startswith("@"):
        if text in _NAMED or _EVERY.fullmatch(text):
            return text
        raise _wrong(text, f"{', '.join(_NAMED)} and '@every 6h' are known")
    if len(fields) not in (5, 6):
        raise _wrong(text, f"it has {len(fields)} fields")
    fields = ["0", *fields] if len(fields) == 5 else fields
    for value, (name, low, high, names) in zip(fields, _FIELDS, strict=True):
        for part in value.split(","):
            problem = _problem(part, low, high, names)
            if problem:
                raise _wrong(text, f"the {name} {value!r} {problem}")
    return " ".join(fields)


def _wrong(text: str, why: str) -> InputError:
    return InputError(
        "--recurring must be five fields as in crontab, or six with the second before them, as in "
        f"'0 3 * * *' for each day at 3:00. Received: {text!r}: {why}"
    )


def _problem(part: str, low: int, high: int, names: dict[str, int]) -> str:
    """What is wrong with a part of a field, empty where nothing is."""
    match = _PART.fullmatch(part)
    if match is None:
        return "is not understood"
    _, first, last, step = match.groups()
    if step is not None and int(step) == 0:
        return "has a step of 0"
    values = [_number(word, names) for word in (first, last) if word is not None]
    if None in values:
        return "is not understood"
    if any(not low <= value <= high for value in values):
        return f"must be {low} to {high}"
    if values != sorted(values):
        return "has a range that begins after its end"
    return ""


def _number(word: str, names: dict[str, int]) -> int | None:
    if word.isascii() and word.isdigit():
        return int(word)
    return names.get(word.upper())
