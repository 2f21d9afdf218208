"""Whether the scans of a JPEG give every component in full: no decoder complains where some lack.

A progressive file that was cut between two scans is a picture without its finer detail; a
sequential one with a scan a component lacks its colours.
"""

import re
from collections.abc import Iterator, Sequence

_SCAN = 0xDA
_MARKER = re.compile(rb"\xff[^\xff\0\xd0-\xd7]")
_COEFFICIENTS = 64


def check(scans: bytes, components: Sequence[int], progressive: bool) -> None:
    """Looks whether all coefficients of all components are there, to their last bit.

    Args:
      scans: from behind the marker of the first scan to the end of the picture, with all that
        stands in between.
      components: the numbers by which the frame's header calls its components.
      progressive: whether the frame is.

    Raises:
      ValueError: there are fewer.
    """
    missing = {component: set(range(_COEFFICIENTS)) for component in components}
    for body in _headers(scans):
        count = body[0] if body else 0
        if len(body) < 4 + 2 * count:
            continue
        first, last, bits = body[1 + 2 * count :][:3]
        if progressive and bits & 15:  # the lowest bits follow in another scan
            continue
        found = range(first, last + 1) if progressive else range(_COEFFICIENTS)
        for component in body[1 : 1 + 2 * count : 2]:
            missing.get(component, set()).difference_update(found)
    lacking = [str(component) for component, left in missing.items() if left]
    if lacking:
        raise ValueError(f"premature end: scans of the components {', '.join(lacking)} are missing")


def _headers(scans: bytes) -> Iterator[bytes]:
    """What the header of each scan says, without its length."""
    marker, begin = _SCAN, 0
    while True:
        end = begin + max(2, int.from_bytes(scans[begin : begin + 2], "big"))
        if marker == _SCAN:
            yield scans[begin + 2 : end]
        found = _MARKER.search(scans, end)
        if found is None:
            return
        marker, begin = scans[found.end() - 1], found.end()
