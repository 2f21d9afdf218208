"""Which files an anomaly is about, found in the index of ImageExampleGen.

Statistics say that some image is too small, and not which. Only where there is such an anomaly,
the index is read; what is found is sorted on disk, so memory does not grow with the images.
"""

import dataclasses
import itertools
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, TextIO

from components.example_validator.anomaly import MAX_EXAMPLES
from preprocessing import features
from preprocessing.files.external_sort import sorted_rows
from preprocessing.ingest import ingest

_FLOAT32 = struct.Struct("<f")
_INDEX_KEYS = {
    features.FORMAT: "format",
    features.HEIGHT: "height",
    features.WIDTH: "width",
    features.NUM_BYTES: "bytes",
    features.CLASS_TEXT: "class",
}
# Features that come from the header of a file.
OF_THE_HEADER = (features.FORMAT, features.HEIGHT, features.WIDTH, features.ASPECT_RATIO)
# Features of which single files can be named.
SEARCHABLE = (*_INDEX_KEYS, features.ASPECT_RATIO)


@dataclasses.dataclass(frozen=True)
class Condition:
    """What is unusual about a file.

    Attributes:
      split: the split of the files.
      feature: one of `SEARCHABLE`.
      kind: of the anomaly; see `Anomaly`.
      below: values below this are unusual.
      above: values above this are unusual.
      allowed: if there are any, other values are unusual.
      missing: whether to have no value is unusual.
    """

    split: str
    feature: str
    kind: str
    below: float | None = None
    above: float | None = None
    allowed: frozenset[str] = frozenset()
    missing: bool = False

    def sort_key(self, value: Any) -> Any:
        """Sorts the most unusual values first; None for a value that is as usual."""
        if value is None:
            return 0 if self.missing else None
        if self.below is not None and value < self.below:
            return value
        if self.above is not None and value > self.above:
            return -value
        if self.allowed and value not in self.allowed:
            return value
        return None


@dataclasses.dataclass(frozen=True)
class Files:
    """The files that a condition holds for: their number, and the URIs of the first."""

    count: int
    first: tuple[str, ...]


def search(
    conditions: Sequence[Condition], index: Sequence[str], scratch: str, items: TextIO
) -> dict[Condition, Files]:
    """Finds the files of each condition.

    Args:
      conditions: what to look for.
      index: paths of the index files, as `ingest.index_files` gives them.
      scratch: existing folder for temporary files.
      items: gets a line of JSON for each file that was found: `split`, `feature`, `kind`, `uri`
        and `value`, the most unusual first.

    Returns:
      The files by condition; a condition without any is left out.
    """
    found: dict[Condition, Files] = {}
    rows = sorted_rows(_matches(conditions, index), scratch) if conditions else ()
    for number, group in itertools.groupby(rows, key=itemgetter(0)):
        condition = conditions[number]
        about = {"split": condition.split, "feature": condition.feature, "kind": condition.kind}
        count, first = 0, []
        for _, _, uri, value in group:
            count += 1
            first += [uri] if count <= MAX_EXAMPLES else []
            line = json.dumps({**about, "uri": uri, "value": value}, ensure_ascii=False)
            items.write(f"{line}\n")
        found[condition] = Files(count, tuple(first))
    return found


def as_float32(value: float) -> float:
    """The value as a record or a schema holds it, so that limits compare as TFDV compares them."""
    return _FLOAT32.unpack(_FLOAT32.pack(value))[0]


def _matches(
    conditions: Sequence[Condition], index: Sequence[str]
) -> Iterator[tuple[int, Any, str, Any]]:
    """Yields number of the condition, sort key, URI and value."""
    for path in index:
        for entry in ingest.read_index(path):
            for number, condition in enumerate(conditions):
                if entry["split"] == condition.split:
                    value = _value(entry, condition.feature)
                    key = condition.sort_key(value)
                    if key is not None:
                        yield number, key, entry["uri"], value


def _value(entry: Mapping[str, Any], feature: str) -> Any:
    if feature != features.ASPECT_RATIO:
        value = entry[_INDEX_KEYS[feature]]
        return None if value == "" else value  # the class of a file that has none
    if entry["height"] is None:
        return None
    return as_float32(entry["width"] / entry["height"])
