"""Evaluation images that look like training images: the same picture, stored or scaled otherwise.

Copies of the same bytes are found in the index (see `duplicates`); these are found by what they
show. Each used image leaves a thumbnail of 12 x 12 RGB pixels. Two images are near-duplicates if
their thumbnails differ, root mean square, by at most a tenth of the contrast (as at a correlation
of 0.995), or by two grey levels where there is hardly any contrast.

Not all pairs are looked at. A thumbnail's 64-bit SimHash has for each of 64 fixed planes the side
on which it lies (M. Charikar, Similarity Estimation Techniques from Rounding Algorithms, STOC
2002): at that correlation two of the bits differ on average. The hashes are sorted four times,
each time rotated by 16 bits more, and an image is compared with its neighbours in each order (G.
Manku, A. Jain, A. Das Sarma, Detecting Near-Duplicates for Web Crawling, WWW 2007). So the time
grows as that of sorting, even where very many images look alike, and memory holds a block of each
split.

Why not imagehash: its hashes are of grey pictures, one image at a time, and it has no search; it
would bring SciPy and PyWavelets to the workers.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from preprocessing import features
from preprocessing.files.new_file import new_file
from preprocessing.stage import fingerprints
from preprocessing.stage.source_shard import USED, SourceShard

# Images of a split that are held at once: 24 MB of hashes, and as much again while they are sorted.
BLOCK = 1_000_000
_HASHED_AT_ONCE, _COMPARED_AT_ONCE = 10_000, 20_000
_BITS, _ROTATION = 64, 16
# On either side, in each of the orders.
_NEIGHBOURS = 8
_MAX_DIFFERENT_BITS = 10
_MAX_RELATIVE_DIFFERENCE, _MAX_DIFFERENCE = 0.1, 2.0
_ONES_OF_BYTE = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)


@dataclass(frozen=True)
class Thumbnails:
    """The thumbnails of a split, one after the other in a file, and where their images are.

    Attributes:
      pixels: uint8 [N, fingerprints.NUM_BYTES], read from the disk where they are asked for.
      sources: the split's source shards.
      first: number of each shard's first image, and at the end N.
    """

    pixels: np.ndarray
    sources: Sequence[SourceShard]
    first: Sequence[int]


def write(sources: Sequence[SourceShard], scratch: str, folder: str) -> int:
    """Looks for near-duplicates, and lists them.

    Args:
      sources: the source shards, all processed.
      scratch: folder with what they left, and for temporary files.
      folder: gets `near_duplicates.jsonl`: an object for each evaluation image that looks like a
        training image of other bytes, with `eval` and `train`, that image and the most similar
        one (`sha256`, `uri` and `class` each), and `difference`, 0 to 255. It is sorted by URI and
        digest of the evaluation image, and empty where there are none.

    Returns:
      How many there are.
    """
    train = _thumbnails(sources, features.TRAIN_SPLIT, scratch)
    evaluated = _thumbnails(sources, features.EVAL_SPLIT, scratch)
    best = best_matches(evaluated, train)
    of_eval = _identities(evaluated, best, scratch)
    of_train = _identities(train, {number for number, _ in best.values()}, scratch)
    found = []
    for number, (other, difference) in best.items():
        one, two = of_eval[number], of_train[other]
        if one["sha256"] != two["sha256"]:  # copies stand in duplicates.jsonl
            found.append({"eval": one, "train": two, "difference": round(difference, 3)})
    found.sort(key=lambda pair: (pair["eval"]["uri"], pair["eval"]["sha256"]))
    with (
        new_file(Path(folder, features.NEAR_DUPLICATES_FILE)) as path,
        open(path, "w", encoding="utf-8") as file,
    ):
        file.writelines(f"{json.dumps(pair, ensure_ascii=False)}\n" for pair in found)
    return len(found)


def hashes(pixels: np.ndarray) -> np.ndarray:
    """SimHashes of thumbnails.

    Args:
      pixels: uint8 [N, fingerprints.NUM_BYTES].

    Returns:
      uint64 [N]; bit i says on which side of plane i a thumbnail lies.
    """
    found = np.empty(len(pixels), np.uint64)
    for start in range(0, len(pixels), _HASHED_AT_ONCE):
        part = pixels[start : start + _HASHED_AT_ONCE].astype(np.float32)
        # Sums of whole numbers below 2^24: exact, in whatever order they are added.
        sides = part @ PLANES > 0
        packed = np.packbits(sides, axis=1)  # uint8 [n, 8]
        found[start : start + len(part)] = packed.view(np.uint64)[:, 0]
    return found


def _planes() -> np.ndarray:
    """The planes' normals, float32 [NUM_BYTES, 64]: as many 1 as -1, so that brightness is nothing.

    From Python's generator, whose numbers are the same in all versions.
    """
    generator = random.Random(0)
    half = fingerprints.NUM_BYTES // 2
    signs = [generator.sample([1.0, -1.0] * half, 2 * half) for _ in range(_BITS)]
    return np.array(signs, np.float32).T


PLANES = _planes()


def _thumbnails(sources: Sequence[SourceShard], split: str, scratch: str) -> Thumbnails:
    """Joins the thumbnails of a split's shards into one file."""
    own = [source for source in sources if source.split == split]
    joined, first = Path(scratch, f"{split}.thumbnails"), [0]
    with open(joined, "wb") as file:
        for source in own:
            data = Path(fingerprints.path_of(source.parts(scratch))).read_bytes()
            file.write(data)
            first.append(first[-1] + len(data) // fingerprints.NUM_BYTES)
    shape = (first[-1], fingerprints.NUM_BYTES)
    empty = np.empty(shape, np.uint8)
    pixels = np.memmap(joined, np.uint8, "r", shape=shape) if first[-1] else empty
    return Thumbnails(pixels, own, first)


def best_matches(one: Thumbnails, other: Thumbnails) -> dict[int, tuple[int, float]]:
    """Looks for near-duplicates of images among others.

    Returns:
      By the number of each image that has one, that of the most similar one that was looked at,
      and the root mean square difference, 0 to 255.
    """
    best: dict[int, tuple[int, float]] = {}
    for start in range(0, len(one.pixels), BLOCK):
        own = hashes(one.pixels[start : start + BLOCK])
        for other_start in range(0, len(other.pixels), BLOCK):
            others = hashes(other.pixels[other_start : other_start + BLOCK])
            for rows, columns in _similar_hashes(own, others):
                rows, columns = rows + start, columns + other_start
                differences = _differences(one.pixels[rows], other.pixels[columns])
                for row, column, difference in zip(rows, columns, differences, strict=True):
                    match = (int(column), float(difference))
                    if np.isfinite(difference) and match[::-1] < best.get(int(row), _NONE)[::-1]:
                        best[int(row)] = match
    return best


_NONE = (0, float("inf"))


def _similar_hashes(one: np.ndarray, other: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields pairs of images whose hashes are close, some of them more than once.

    Args:
      one: uint64 [N].
      other: uint64 [M].

    Yields:
      int64 [P] and int64 [P], indices into the one and the other; all P at most a few thousand.
    """
    around = np.arange(-_NEIGHBOURS, _NEIGHBOURS)
    for shift in range(0, _BITS, _ROTATION):
        order = np.argsort(_rotated(other, shift), kind="stable")
        sorted_keys = _rotated(other, shift)[order]
        for start in range(0, len(one), _COMPARED_AT_ONCE):
            part = one[start : start + _COMPARED_AT_ONCE]
            places = np.searchsorted(sorted_keys, _rotated(part, shift))[:, None] + around
            neighbours = order[np.clip(places, 0, len(other) - 1)]  # [n, 2 * _NEIGHBOURS]
            different = (part[:, None] ^ other[neighbours])[..., None].view(np.uint8)
            close = _ONES_OF_BYTE[different].sum(axis=-1) <= _MAX_DIFFERENT_BITS
            rows, columns = np.nonzero(close)
            for at in range(0, len(rows), _HASHED_AT_ONCE):
                chosen = slice(at, at + _HASHED_AT_ONCE)
                yield rows[chosen] + start, neighbours[rows[chosen], columns[chosen]]


def _rotated(keys: np.ndarray, shift: int) -> np.ndarray:
    left, right = np.uint64(shift), np.uint64((_BITS - shift) % _BITS)
    return keys if shift == 0 else (keys << left) | (keys >> right)


def _differences(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Root mean square differences, float32 [P], of uint8 [P, NUM_BYTES]; inf where too large."""
    one, other = one.astype(np.float32), other.astype(np.float32)
    found = np.sqrt(np.mean((one - other) ** 2, axis=1))
    contrast = np.maximum(_contrast(one), _contrast(other))
    limit = np.maximum(_MAX_DIFFERENCE, _MAX_RELATIVE_DIFFERENCE * contrast)
    return np.where(found <= limit, found, np.inf)


def _contrast(pixels: np.ndarray) -> np.ndarray:
    """How far pixels are from the mean of their channel: float32 [P], 0 for a plain colour."""
    channels = pixels.reshape(len(pixels), -1, features.CHANNELS)
    return np.sqrt(channels.var(axis=1).mean(axis=1))


def _identities(thumbnails: Thumbnails, numbers: Any, scratch: str) -> dict[int, dict[str, str]]:
    """Who the images of some numbers are."""
    wanted = set(numbers)
    found: dict[int, dict[str, str]] = {}
    for source, first, end in zip(
        thumbnails.sources, thumbnails.first, thumbnails.first[1:], strict=False
    ):
        if not wanted.isdisjoint(range(first, end)):
            used = (row for row in source.rows(scratch) if row["status"] == USED)
            for number, row in enumerate(used, start=first):
                if number in wanted:
                    found[number] = {key: row[key] for key in ("sha256", "uri", "class")}
    return found
