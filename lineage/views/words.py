"""Numbers, times and states as people read them."""

import datetime
from collections.abc import Iterable, Sequence

from lineage.record.parts import Push
from lineage.record.run import RunLine

# A digest in a sentence: enough to tell things apart, and to ask for them.
SHORT_DIGEST = 12
NONE = "-"
_MINUTE, _HOUR = 60, 3600


def when(time: datetime.datetime | None) -> str:
    """A time in the zone of whoever asks, as in `2026-11-28 00:20`."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M") if time is not None else NONE


def duration(secs: float | None) -> str:
    """Seconds as in `4 s`, `3 min 20 s` or `5 h 2 min`."""
    if secs is None:
        return NONE
    whole = round(secs)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"


def state(text: str) -> str:
    """A state as people say it."""
    return text.replace("_", " ")


def short(digest: str) -> str:
    """The beginning of a digest."""
    return digest[:SHORT_DIGEST] or "not known"


def share(value: float | None, bounds: Sequence[float | None] = (None, None)) -> str:
    """A share, 0 to 1, with its interval where there is one."""
    if value is None:
        return NONE
    low, high = bounds
    interval = "" if low is None or high is None else f" [{low:.4f}, {high:.4f}]"
    return f"{value:.4f}{interval}"


def verdict(line: RunLine) -> str:
    """What the gate said, and who overrode it."""
    if line.blessed is None:
        return NONE
    said = "blessed" if line.blessed else "not blessed"
    overrides = [push.override for push in line.pushes if push.override is not None]
    return f"{said}, overridden by {overrides[-1].user}" if overrides else said


def pushed(pushes: Iterable[Push]) -> str:
    """The versions."""
    return ", ".join(push.version for push in pushes) or NONE


def counted(count: int, one: str, many: str = "") -> str:
    """A number with its noun, as in `1 image` or `2,000 images`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[int] = ()) -> str:
    """A table of aligned columns.

    Args:
      head: the names of the columns.
      rows: their texts.
      numbers: indices of columns that are aligned to the right.
    """
    whole, right = [list(head), *map(list, rows)], set(numbers)
    widths = [max(len(row[column]) for row in whole) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            text.rjust(width) if column in right else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in whole
    )
