"""Spans of a growing corpus: `{SPAN}`, a date and `{VERSION}` in a path, as TFX defines them.

`data/day-{SPAN}/v{VERSION}` stands for one of `data/day-7/v1`, `data/day-8/v1`, `data/day-8/v2`:
that of the newest span, which is the largest number, and of its newest version. `{SPAN:5}` has
exactly 5 digits, zeros in front included. `{YYYY}`, `{MM}` and `{DD}` together are a date, whose
span is its number of days since 1970-01-01. Names with something else than digits in the position
of a pattern, or with no date of the calendar, are other things and are passed over. A `*` or `?`
beside or behind the patterns stays in the path.
"""

import datetime
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from preprocessing.errors import InputError
from preprocessing.sources import listing, storage

_SPEC = re.compile(r"\{(SPAN|VERSION|YYYY|MM|DD)(?::([^{}/]*))?\}")
_SPAN, _VERSION = "SPAN", "VERSION"
_DATE = {"YYYY": 4, "MM": 2, "DD": 2}  # with their numbers of digits
_DAY_0 = datetime.date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A path of one span.

    Attributes:
      path: without patterns.
      span: its number; 0 where the path has neither `{SPAN}` nor a date, as TFX has it.
      version: its number; None where the path has no `{VERSION}`.
      has_span: whether the path has `{SPAN}` or a date.
    """

    path: str
    span: int = 0
    version: int | None = None
    has_span: bool = False


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A path, resolved as far as a step, and the numbers that stood for its patterns."""

    path: str
    numbers: Mapping[str, int]


def resolve(path: str, span: int | None = None, version: int | None = None) -> Resolved:
    """Finds the span and the version of a path, by what is there.

    Args:
      path: may have one `{SPAN}`, or one `{YYYY}`, `{MM}` and `{DD}`, and with them one
        `{VERSION}`; anywhere, also in a file's name.
      span: the span to take, 0 or more; None for the newest.
      version: the version to take; None for the newest of the span.

    Raises:
      InputError: the pattern is wrong, nothing matches it, or two paths do.
    """
    if any(ord(character) < ord(" ") for character in path):
        raise InputError(f"data.path must not have control characters. Received: {path!r}")
    try:
        path = storage.local_path(path)
    except ValueError as error:
        raise InputError(f"data.path: {error}") from None
    specs = _checked_specs(path, span)
    if not specs:
        return Resolved(path)
    found, seen = _candidates(path, _fixed(specs, span, version))
    resolved = [one for one in map(_resolved, found) if one is not None and _is_there(one.path)]
    if not resolved:
        wanted = "" if span is None else f" of span {span}"
        raise InputError(
            f"data.path must match something{wanted}. Received: {path}; there is "
            f"{', '.join(map(repr, sorted(seen)[:5])) or 'nothing'}"
        )
    newest = max(map(_age, resolved))
    paths = sorted(one.path for one in resolved if _age(one) == newest)
    if len(paths) > 1:
        raise InputError(
            f"a span and version must be one path. Received: {path}, which is {paths[0]} "
            f"and {paths[1]}"
        )
    return next(one for one in resolved if one.path == paths[0])


def _checked_specs(path: str, span: int | None) -> list[str]:
    """The names of the patterns in a path."""
    specs = _SPEC.findall(path)
    names = [name for name, _ in specs]
    date = [name for name in names if name in _DATE]
    problem = ""
    if max(map(names.count, names), default=0) > 1:
        problem = f"has {{{max(names, key=names.count)}}} twice"
    elif date and len(date) < len(_DATE):
        problem = f"has no {{{next(name for name in _DATE if name not in date)}}}"
    elif date and _SPAN in names:
        problem = "has both {SPAN} and a date"
    elif _VERSION in names and _SPAN not in names and not date:
        problem = "has {VERSION} without {SPAN} or a date"
    elif span is not None and _SPAN not in names and not date:
        problem = f"has neither {{SPAN}} nor a date, but data.span is {span}"
    for name, width in specs:
        if f"{{{name}:" in path:
            if name in _DATE:
                problem = f"has a width in {{{name}:{width}}}"
            elif not re.fullmatch(r"[1-9][0-9]{0,2}", width):
                problem = f"has the width {width!r}, which is no number above 0"
    if problem:
        raise InputError(
            "data.path may have one {SPAN}, also as {SPAN:5} with a number of digits, or one "
            "{YYYY}, {MM} and {DD}, and with either one {VERSION}. "
            f"Received: {path}, which {problem}"
        )
    return names


def _fixed(specs: list[str], span: int | None, version: int | None) -> dict[str, int]:
    """The numbers that patterns must have."""
    fixed = {} if version is None else {_VERSION: version}
    if span is None:
        return fixed
    if _SPAN in specs:
        return {**fixed, _SPAN: span}
    try:
        date = _DAY_0 + datetime.timedelta(days=span)
    except OverflowError:
        raise InputError(
            "data.span must be a number of days since 1970-01-01, as data.path has a date. "
            f"Received: {span}"
        ) from None
    return {**fixed, "YYYY": date.year, "MM": date.month, "DD": date.day}


def _candidates(path: str, fixed: Mapping[str, int]) -> tuple[list[_Candidate], set[str]]:
    """The paths that a pattern may mean, and the names among which they were looked for."""
    head, *steps = _steps(path)
    found = [_Candidate(head, {})]
    seen: set[str] = set()
    for step in steps:
        if _SPEC.search(step):
            listed = [(before, _names(before.path)) for before in found]
            seen.update(*(names for _, names in listed))
            found = [
                after for before, names in listed for after in _matches(before, step, names, fixed)
            ]
        else:
            found = [_Candidate(storage.join(one.path, step), one.numbers) for one in found]
    return found, seen


def _steps(path: str) -> list[str]:
    """The part before the first pattern, and then the names of the path, one by one.

    A name behind the last pattern is one step with all that follows it.
    """
    first = path.rfind("/", 0, _SPEC.search(path).start()) + 1
    names = path[first:].split("/")
    last = max(number for number, name in enumerate(names) if _SPEC.search(name))
    rest = "/".join(names[last + 1 :])
    return [path[:first], *names[: last + 1], *([rest] if rest else [])]


def _names(folder: str) -> list[str]:
    try:
        found = listing.open_tree(folder or ".").list_folder()
    except OSError:
        return []
    return [*found.folders, *(file.name for file in found.files)]


def _matches(
    before: _Candidate, step: str, names: list[str], fixed: Mapping[str, int]
) -> list[_Candidate]:
    """The paths that go on with one of the names of a folder that fits the step."""
    expression = _expression(step)
    results = {}  # by path: several files may have the numbers of one span
    for match in filter(None, map(expression.fullmatch, names)):
        texts = match.groupdict()
        numbers = {key: int(text) for key, text in texts.items()}
        if all(fixed.get(key, number) == number for key, number in numbers.items()):
            name = _SPEC.sub(lambda spec, texts=texts: texts[spec[1]], step)
            path = storage.join(before.path, name)
            results[path] = _Candidate(path, {**before.numbers, **numbers})
    return list(results.values())


def _expression(step: str) -> re.Pattern[str]:
    parts, position = [], 0
    for spec in _SPEC.finditer(step):
        width = spec[2] or _DATE.get(spec[1])
        digits = f"{{{width}}}" if width else "+"
        parts += [_escaped(step[position : spec.start()]), f"(?P<{spec[1]}>[0-9]{digits})"]
        position = spec.end()
    return re.compile("".join([*parts, _escaped(step[position:])]), re.DOTALL)


def _escaped(text: str) -> str:
    wildcards = {"*": ".*", "?": "."}
    return "".join(wildcards.get(part) or re.escape(part) for part in re.split(r"([*?])", text))


def _resolved(candidate: _Candidate) -> Resolved | None:
    """What a candidate means; None where its date is not in the calendar."""
    numbers = candidate.numbers
    span = numbers.get(_SPAN, 0)
    if "YYYY" in numbers:
        try:
            span = (datetime.date(*(numbers[name] for name in _DATE)) - _DAY_0).days
        except ValueError:
            return None
    return Resolved(candidate.path, span, numbers.get(_VERSION), has_span=True)


def _is_there(path: str) -> bool:
    """Whether a span has what the pattern says; one that is only begun may not have it yet."""
    if storage.has_wildcards(path):
        return bool(storage.matching_files(path))
    if storage.is_remote(path):
        return storage.is_file(path) or bool(_names(path))
    return os.path.exists(path)


def _age(one: Resolved) -> tuple[int, int]:
    return one.span, -1 if one.version is None else one.version
