"""What became of the images: counted by split, checked against the index, added up for people."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from preprocessing import features
from preprocessing.ingest import ingest
from preprocessing.stage.duplicates import Summary
from preprocessing.stage.pixel_sums import PixelSums

NAMES = (
    "seen",
    "used",
    "quarantined",
    "dropped",
    "duplicates",
    "different_labels",
    "both_splits",
)


@dataclass
class Counts:
    """Sums over all images.

    Attributes:
      splits: by split and one of `NAMES`. `seen` = `used` + `quarantined` + `dropped`; the other
        three are those of `duplicates.Summary`.
      reasons: unusable images by reason.
      classes: used images by split and class.
      pixels: of the used images of the training split.
    """

    splits: dict[str, dict[str, int]] = field(default_factory=dict)
    reasons: Counter = field(default_factory=Counter)
    classes: dict[str, Counter] = field(default_factory=dict)
    pixels: PixelSums = field(default_factory=PixelSums)

    @property
    def total(self) -> dict[str, int]:
        """Sums over the splits, by `NAMES`."""
        return {name: sum(of_split[name] for of_split in self.splits.values()) for name in NAMES}

    def as_json(self) -> dict[str, Any]:
        """The content of `counts.json`: `NAMES` of all, `reasons`, and `NAMES` by split."""
        reasons = dict(sorted(self.reasons.items()))
        return {**self.total, "reasons": reasons, "splits": self.splits}


def add_up(reports: Iterable[tuple[str, dict[str, Any]]], copies: Summary) -> Counts:
    """Adds up the reports of the source shards, and checks that no image was lost.

    Args:
      reports: split and report of each shard; see `source_shard.SourceShard.report`.
      copies: what the index says.

    Raises:
      RuntimeError: an image of the index was not seen, or one was seen that it does not have.
    """
    counts = Counts(classes={split: Counter() for split in ingest.SPLITS})
    fates: dict[str, Counter] = {split: Counter() for split in ingest.SPLITS}
    for split, report in reports:
        fates[split].update(report["fates"])
        counts.reasons.update(report["reasons"])
        counts.classes[split].update(report["classes"])
        if split == features.TRAIN_SPLIT:
            counts.pixels.add(PixelSums(**report["pixels"]))
    for split in ingest.SPLITS:
        seen = fates[split].total()
        if seen != copies.listed[split]:
            raise RuntimeError(
                f"split {split} has {seen} records, its index {copies.listed[split]}"
            )
        counts.splits[split] = {
            "seen": seen,
            "used": fates[split]["used"],
            "quarantined": fates[split]["quarantined"],
            "dropped": fates[split]["dropped"],
            "duplicates": copies.duplicates[split],
            "different_labels": copies.different_labels[split],
            "both_splits": copies.both_splits[split],
        }
    return counts


def equations(counts: dict[str, Any]) -> list[str]:
    """What became of the images of each split and of all, a line each.

    Args:
      counts: the content of `counts.json`.
    """
    return [
        f"{name}: {of['used']} used + {of['quarantined']} in quarantine + "
        f"{of['dropped']} dropped duplicates = {of['seen']} files seen"
        for name, of in (*counts["splits"].items(), ("all", counts))
    ]
