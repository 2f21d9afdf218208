"""The plan of an ingestion: all items, shuffled, cut into units.

Only hashes and sizes of the items are held in memory, some 30 bytes each; what else is known of
them lies in a file. The plan follows from the items and the seed, and from nothing else.
"""

import hashlib
import mmap
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from preprocessing.sources.base import Item
from preprocessing.sources.splits import SplitRule, decide

# A unit is what one worker does at a time, and one shard of each split: it ends after so many
# bytes, or so many items, whichever comes first.
UNIT_BYTES = 32_000_000
UNIT_ITEMS = 20_000
# So many units a small corpus has, or two workers would have nothing to share.
MIN_UNITS = 4


@dataclass(frozen=True)
class Plan:
    """What `make_plan` decided.

    Attributes:
      folder: holds one file per unit, with one line per item.
      root: path of the source.
      num_units: number of units.
      num_items: items in all units.
      rule: what becomes of the splits of the source.
      left_out: number of items of each split of the source that are in no unit.
    """

    folder: str
    root: str
    num_units: int
    num_items: int
    rule: SplitRule
    left_out: dict[str, int]

    def items(self, unit: int) -> Iterator[Item]:
        """The items of a unit, in order."""
        with open(_unit_path(self.folder, unit), "rb") as lines:
            yield from map(Item.from_json, lines)

    def name_of(self, uri: str) -> str:
        """The name of an item, which does not depend on where its corpus lies."""
        return _name(uri, self.root)


def make_plan(items: Iterable[Item], root: str, folder: Path, seed: int) -> Plan:
    """Shuffles items and cuts them into units of about `UNIT_BYTES`.

    Args:
      items: in a fixed order, which decides between items with the same URI.
      root: path of the source; the shuffle does not depend on where a corpus lies.
      folder: for the plan; need not exist.
      seed: of the shuffle.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "items"
    keys, starts, sizes, splits = array("Q"), array("Q", [0]), array("Q"), array("B")
    codes: dict[str | None, int] = {}
    with open(path, "wb") as lines:
        for item in items:
            line = item.to_json().encode("ascii") + b"\n"
            lines.write(line)
            keys.append(hash_64(seed, _name(item.uri, root).encode(errors="surrogatepass")))
            starts.append(starts[-1] + len(line))
            # An empty file has its price, too: reading it and telling of it.
            sizes.append(item.num_bytes + 1)
            splits.append(codes.setdefault(item.split, len(codes)))
    split_codes = np.asarray(splits)
    counts = Counter({split: int((split_codes == code).sum()) for split, code in codes.items()})
    rule = decide(counts)
    kept = ~np.isin(split_codes, [codes[split] for split in rule.left_out])
    order = np.argsort(np.asarray(keys), kind="stable")
    order = order[kept[order]]
    cuts = _cuts(np.asarray(sizes)[order])
    _write_units(path, np.asarray(starts), [order[a:b] for a, b in cuts], folder)
    path.unlink()
    left_out = {split: counts[split] for split in sorted(rule.left_out)}
    return Plan(str(folder), root, len(cuts), len(order), rule, left_out)


def hash_64(seed: int, data: bytes) -> int:
    """A number from 0 to 2**64 - 1 that follows from seed and data, and looks random."""
    return int.from_bytes(hashlib.sha256(f"{seed}\0".encode() + data).digest()[:8], "big")


def _name(uri: str, root: str) -> str:
    """The URI relative to the source's folder, or to the folder of the source's file."""
    for folder in (root.rstrip("/"), root.rpartition("/")[0]):
        if uri.startswith(f"{folder}/"):
            return uri[len(folder) + 1 :]
    return uri


def _cuts(sizes: np.ndarray) -> list[tuple[int, int]]:
    """(first, end) of every unit, given the sizes of all items in their order."""
    limit = min(UNIT_BYTES, sizes.sum() / MIN_UNITS)
    ends, room, begun = [], limit, 0
    for position, size in enumerate(sizes.tolist(), start=1):
        room -= size
        if room <= 0 or position - begun >= UNIT_ITEMS:
            ends.append(position)
            room, begun = limit, position
    if begun < len(sizes):
        ends.append(len(sizes))
    return list(zip([0, *ends], ends, strict=False))


def _write_units(path: Path, starts: np.ndarray, units: list[np.ndarray], folder: Path) -> None:
    if not units:
        return
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as lines:
        for number, unit in enumerate(units):
            with open(_unit_path(folder, number), "wb") as target:
                target.writelines(lines[starts[i] : starts[i + 1]] for i in unit.tolist())


def _unit_path(folder: str | Path, unit: int) -> Path:
    return Path(folder) / f"{unit}.jsonl"
