"""What listing a source finds beside its images, told to the person."""

_NAMES = 3


class Remarks:
    """Files that are passed over, counted by why, and other things worth a line.

    Attributes:
      levels: the largest number of folders between a class folder and a file.
    """

    def __init__(self) -> None:
        self.levels = 0
        self._counts: dict[str, int] = {}
        self._first: dict[str, list[str]] = {}
        self._notes: dict[str, None] = {}

    def count(self, what: str, name: str) -> None:
        """Counts a file; `what` is the same text for all of its kind."""
        self._counts[what] = self._counts.get(what, 0) + 1
        first = self._first.setdefault(what, [])
        if len(first) < _NAMES:
            first.append(name)

    def note(self, line: str) -> None:
        """Adds a line, once."""
        self._notes[line] = None

    def number_of(self, what: str) -> int:
        """How many files of a kind were counted."""
        return self._counts.get(what, 0)

    def lines(self) -> list[str]:
        """For people: the notes, and `4 hidden files were skipped (a/.x, b/.y, b/.z, ...)`."""
        counted = [
            f"{count} {what} ({', '.join(self._first[what])}{', ...' if count > _NAMES else ''})"
            for what, count in self._counts.items()
        ]
        return [*self._notes, *counted]
