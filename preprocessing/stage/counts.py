"""What became of the images: counted by split, checked against the index, added up for people."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from preprocessing import features
from preprocessing.ingest import ingest
from preprocessing.stage.copies import DROP
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
      copies: what the index says of copies.
      pixels: of the used images of the training split.
    """

    splits: dict[str, dict[str, int]] = field(default_factory=dict)
    reasons: Counter = field(default_factory=Counter)
    classes: dict[str, Counter] = field(default_factory=dict)
    pixels: PixelSums = field(default_factory=PixelSums)
    copies: Summary = field(default_factory=Summary)

    @property
    def total(self) -> dict[str, int]:
        """Sums over the splits, by `NAMES`."""
        return {name: sum(of_split[name] for of_split in self.splits.values()) for name in NAMES}

    def as_json(self) -> dict[str, Any]:
        """The content of `counts.json`.

        Returns:
          `NAMES` of all images, `reasons`, `splits` (`NAMES` by split), and what
          `duplicates.Summary.as_json` says beside these.
        """
        reasons = dict(sorted(self.reasons.items()))
        found = self.copies.as_json()
        return {**found, **self.total, "reasons": reasons, "splits": self.splits}


def add_up(reports: Iterable[tuple[str, dict[str, Any]]], copies: Summary) -> Counts:
    """Adds up the reports of the source shards, and checks that no image was lost.

    Args:
      reports: split and report of each shard; see `source_shard.SourceShard.report`.
      copies: what the index says.

    Raises:
      RuntimeError: an image of the index was not seen, or one was seen that it does not have.
    """
    counts = Counts(classes={split: Counter() for split in ingest.SPLITS}, copies=copies)
    statuses: dict[str, Counter] = {split: Counter() for split in ingest.SPLITS}
    for split, report in reports:
        statuses[split].update(report["statuses"])
        counts.reasons.update(report["reasons"])
        counts.classes[split].update(report["classes"])
        if split == features.TRAIN_SPLIT:
            counts.pixels.add(PixelSums(**report["pixels"]))
    for split in ingest.SPLITS:
        seen = statuses[split].total()
        if seen != copies.listed[split]:
            raise RuntimeError(
                f"split {split} has {seen} records, its index {copies.listed[split]}"
            )
        counts.splits[split] = {
            "seen": seen,
            "used": statuses[split]["used"],
            "quarantined": statuses[split]["quarantined"],
            "dropped": statuses[split]["dropped"],
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


def copy_warnings(counts: dict[str, Any], drop: str) -> list[str]:
    """What a person should know of copies, in lines; none where no copy does harm.

    Args:
      counts: the content of `counts.json`, or what is known of it.
      drop: how a person asks for the policy `drop`, as on the command line.
    """
    conflicts, dropped = counts["label_conflicts"], counts["on_duplicate"] == DROP
    lines = []
    if conflicts["files"]:
        pictures = f"{conflicts['pictures']} different pictures"
        pictures = "1 picture" if conflicts["pictures"] == 1 else pictures
        lines.append(
            f"{conflicts['files']} files have a copy with another label ({pictures})"
            f"{', and are not used' if dropped else ''}"
        )
    if counts["both_splits"] and not dropped:
        lines.append(
            f"{counts['both_splits']} files have a copy in the other split, so the model is "
            "measured on pictures that it was trained on"
        )
    if lines and not dropped:
        lines.append(f"{drop} uses none of the copies with different labels, and one of all others")
    return lines


def label_conflict_examples(counts: dict[str, Any]) -> list[str]:
    """The first pairs of copies with different labels, a line each; see `copy_warnings`."""
    return [
        f"{one['uri']} is '{one['class']}', its copy {other['uri']} is '{other['class']}'"
        for one, other in counts["label_conflicts"]["pairs"]
    ]
