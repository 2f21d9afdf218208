"""Sets of shards that say how many they are, as `train-00000-of-00003` does."""

import re
from collections.abc import Iterable

# What stands behind the numbers differs between the files of a set: Hugging Face puts a digest
# there. So a set is its folder, the name before the numbers, and their count.
_NUMBERED = re.compile(r"(?P<name>.*?)-?(?P<number>\d+)-of-(?P<count>\d+)(?!\d)[^/]*", re.DOTALL)
_SHOWN = 3


def incomplete(paths: Iterable[str]) -> list[str]:
    """One line for each set of shards that lacks some, or has more than it says."""
    sets: dict[tuple[str, int], set[int]] = {}
    for path in paths:
        found = _NUMBERED.fullmatch(path)
        if found:
            key = (found["name"], int(found["count"]))
            sets.setdefault(key, set()).add(int(found["number"]))
    lines = []
    for (name, count), numbers in sorted(sets.items()):
        # A count is what a file name says; it may be any number.
        present = sum(1 for number in numbers if number < count)
        if present < count:
            first = _first_missing(numbers, count)
            lines.append(
                f"an incomplete set of shards: {name} has {present} of {count}; missing: "
                f"{', '.join(map(str, first))}{', ...' if count - present > len(first) else ''}"
            )
        if len(numbers) > present:
            lines.append(
                f"a set of shards with numbers too large: {name} says {count} shards and has "
                f"number {max(numbers)}; numbers begin at 0"
            )
    names = [name for name, _ in sets]
    for name in sorted({name for name in names if names.count(name) > 1}):
        counts = ", ".join(str(count) for other, count in sorted(sets) if other == name)
        lines.append(f"several sets of shards of one name are read: {name} of {counts}")
    return lines


def _first_missing(numbers: set[int], count: int) -> list[int]:
    missing = (number for number in range(count) if number not in numbers)
    return [number for number, _ in zip(missing, range(_SHOWN), strict=False)]
