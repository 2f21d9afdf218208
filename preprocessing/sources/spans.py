"""Spans of a growing corpus: `{SPAN}` and `{VERSION}` in a path, as TFX defines them.

`data/day-{SPAN}/v{VERSION}` stands for one of `data/day-7/v1`, `data/day-8/v1`, `data/day-8/v2`:
that of the newest span, which is the largest number, and of its newest version. `{SPAN:5}` has
exactly 5 digits, zeros in front included. Names with something else than digits in that place are
other things and are passed over. A `*` beside or behind the patterns stays in the path.
"""

import os
import re
from dataclasses import dataclass, replace

from preprocessing.errors import InputError
from preprocessing.sources import listing, storage
from preprocessing.sources.containers import matching_files

_SPEC = re.compile(r"\{(SPAN|VERSION)(?::([^{}/]*))?\}")
_SPAN, _VERSION = "SPAN", "VERSION"


@dataclass(frozen=True, slots=True)
class Resolved:
    """A path of one span.

    Attributes:
      path: without patterns.
      span: its number; 0 where the path has no `{SPAN}`, as TFX has it.
      version: its number; None where the path has no `{VERSION}`.
      has_span: whether the path has `{SPAN}`.
    """

    path: str
    span: int = 0
    version: int | None = None
    has_span: bool = False


def resolve(path: str, span: int | None = None, version: int | None = None) -> Resolved:
    """Finds the span and the version of a path, by what is there.

    Args:
      path: may have one `{SPAN}` and, with it, one `{VERSION}`; anywhere, also in a file's name.
      span: the span to take, 0 or more; None for the newest.
      version: the version to take; None for the newest of the span.

    Raises:
      InputError: the pattern is wrong, nothing matches it, or two paths do.
    """
    if any(ord(character) < ord(" ") for character in path):
        raise InputError(f"data.path must not have control characters. Received: {path!r}")
    specs = _checked_specs(path, span)
    if not specs:
        return Resolved(path)
    fixed = {_SPAN: span, _VERSION: version}
    head, *steps = _steps(path)
    found = [Resolved(head, has_span=True)]
    seen: set[str] = set()
    for step in steps:
        if _SPEC.search(step):
            listed = {before: _names(before.path) for before in found}
            seen.update(*listed.values())
            found = [
                after
                for before, names in listed.items()
                for after in _matches(before, step, names, fixed)
            ]
        else:
            found = [replace(before, path=storage.join(before.path, step)) for before in found]
    found = [one for one in found if _is_there(one.path)]
    if not found:
        wanted = "" if span is None else f" of span {span}"
        raise InputError(
            f"data.path must match something{wanted}. Received: {path}; there is "
            f"{', '.join(map(repr, sorted(seen)[:5])) or 'nothing'}"
        )
    newest = max(map(_age, found))
    paths = sorted(one.path for one in found if _age(one) == newest)
    if len(paths) > 1:
        raise InputError(
            f"a span and version must be one path. Received: {path}, which is {paths[0]} "
            f"and {paths[1]}"
        )
    return next(one for one in found if one.path == paths[0])


def _checked_specs(path: str, span: int | None) -> list[tuple[str, str]]:
    specs = _SPEC.findall(path)
    names = [name for name, _ in specs]
    problem = ""
    if max(map(names.count, names), default=0) > 1:
        problem = f"has {{{max(names, key=names.count)}}} twice"
    elif _VERSION in names and _SPAN not in names:
        problem = "has {VERSION} without {SPAN}"
    elif span is not None and _SPAN not in names:
        problem = f"has no {{SPAN}}, but data.span is {span}"
    for name, width in specs:
        if f"{{{name}:" in path and not re.fullmatch(r"[1-9][0-9]{0,2}", width):
            problem = f"has the width {width!r}, which is no number above 0"
    if problem:
        raise InputError(
            "data.path may have one {SPAN} and, with it, one {VERSION}, also as {SPAN:5} with a "
            f"number of digits. Received: {path}, which {problem}"
        )
    return specs


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
    before: Resolved, step: str, names: list[str], fixed: dict[str, int | None]
) -> list[Resolved]:
    """The paths that go on with one of the names of a folder that fits the step."""
    expression = _expression(step)
    results = []
    for match in filter(None, map(expression.fullmatch, names)):
        texts = match.groupdict()
        numbers = {key: int(text) for key, text in texts.items()}
        if all(fixed[key] in (None, number) for key, number in numbers.items()):
            name = _SPEC.sub(lambda spec, texts=texts: texts[spec[1]], step)
            path = storage.join(before.path, name)
            span, version = numbers.get(_SPAN, before.span), numbers.get(_VERSION, before.version)
            results.append(Resolved(path, span, version, has_span=True))
    return list(dict.fromkeys(results))  # several files may have the numbers of one span


def _expression(step: str) -> re.Pattern[str]:
    parts, position = [], 0
    for spec in _SPEC.finditer(step):
        digits = f"{{{spec[2]}}}" if spec[2] else "+"
        parts += [_escaped(step[position : spec.start()]), f"(?P<{spec[1]}>[0-9]{digits})"]
        position = spec.end()
    return re.compile("".join([*parts, _escaped(step[position:])]), re.DOTALL)


def _escaped(text: str) -> str:
    return ".*".join(map(re.escape, text.split("*")))


def _is_there(path: str) -> bool:
    """Whether a span has what the pattern says; one that is only begun may not have it yet."""
    if "*" in path:
        return bool(matching_files(path))
    if storage.is_remote(path):
        return storage.is_file(path) or bool(_names(path))
    return os.path.exists(path)


def _age(one: Resolved) -> tuple[int, int]:
    return one.span, -1 if one.version is None else one.version
