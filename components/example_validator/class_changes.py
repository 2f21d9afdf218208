"""Classes that came, went, or have too few images, from the counts in the statistics."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from tensorflow_metadata.proto.v0 import statistics_pb2

from components.example_validator.anomaly import (
    CLASS_NEW,
    CLASS_NOT_IN_SPLIT,
    CLASS_TOO_SMALL,
    CLASS_VANISHED,
    MAX_EXAMPLES,
    Anomaly,
    listed,
)
from components.example_validator.from_protos import Statistics, value_counts
from preprocessing import features
from preprocessing.text import one_line

# An anomaly and the classes that it is about: `class` and `images`.
Found = tuple[Anomaly, list[dict[str, Any]]]


def find(
    statistics: Statistics,
    expected: Collection[str],
    min_images: int,
    previous: Statistics | None = None,
) -> list[Found]:
    """Compares the classes with what was there before and with what is expected.

    Args:
      statistics: by split.
      expected: classes that a schema names.
      min_images: smallest number of images of a class.
      previous: of the corpus before this one, if there was one.

    Returns:
      The anomalies, each with all classes that it is about. `images` of a class is their number
      over all splits: in the corpus before of one that is gone, and in this one of any other.
    """
    now = {split: class_counts(of_split) for split, of_split in statistics.items()}
    total = sum(now.values(), Counter())
    before = sum((class_counts(s) for s in (previous or {}).values()), Counter())
    return [
        *_vanished(total, before, set(expected)),
        *_new(total, before),
        *_per_split(now, total),
        *_too_small(total, min_images),
    ]


def of_unknown_classes(
    statistics: Statistics, split: str, kind: str, expected: Collection[str]
) -> list[Found]:
    """The classes of a split that a schema does not name: one anomaly, or none."""
    counts = class_counts(statistics[split])
    return _found(
        split,
        kind,
        {name: count for name, count in sorted(counts.items()) if name not in expected},
        one="class {name} is not in the schema ({images} images)",
        many="{count} classes are not in the schema",
        each="{name} ({images} images)",
    )


def class_counts(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> Counter[str]:
    """Number of images by class name."""
    return value_counts(statistics, features.CLASS_TEXT)


def _found(
    split: str, kind: str, images: Mapping[str, int], *, one: str, many: str, each: str
) -> list[Found]:
    """One anomaly for all classes of which the same is unusual, none where there is no such class.

    Args:
      split: see `Anomaly`.
      kind: see `Anomaly`.
      images: number of images by class, in the order in which the classes are named.
      one: the text for a single class, with `{name}` and `{images}`.
      many: the text for several classes, with `{count}`; their names follow.
      each: what is said of each of several classes, with `{name}` and `{images}`.
    """
    if not images:
        return []
    first = list(images.items())[:MAX_EXAMPLES]
    template = one if len(images) == 1 else each
    names = [template.format(name=f"'{one_line(name)}'", images=count) for name, count in first]
    text = names[0]
    if len(images) > 1:
        text = f"{many.format(count=len(images))}: {listed(names, len(images))}"
    examples = tuple(name for name, _ in first)
    anomaly = Anomaly(split, features.CLASS_TEXT, kind, text, len(images), examples)
    return [(anomaly, [{"class": name, "images": count} for name, count in images.items()])]


def _vanished(
    total: Mapping[str, int], before: Mapping[str, int], expected: set[str]
) -> list[Found]:
    return _found(
        "",
        CLASS_VANISHED,
        {name: before[name] for name in sorted(set(before) - set(total))},
        one="class {name} has no images any more ({images} in the corpus before)",
        many="{count} classes have no images any more",
        each="{name} ({images} before)",
    ) + _found(
        "",
        CLASS_VANISHED,
        dict.fromkeys(sorted(expected - set(before) - set(total)), 0),
        one="class {name} of the schema has no images",
        many="{count} classes of the schema have no images",
        each="{name}",
    )


def _new(total: Mapping[str, int], before: Mapping[str, int]) -> list[Found]:
    return _found(
        "",
        CLASS_NEW,
        {name: total[name] for name in sorted(set(total) - set(before))} if before else {},
        one="class {name} is new ({images} images)",
        many="{count} classes are new",
        each="{name} ({images} images)",
    )


def _per_split(now: Mapping[str, Mapping[str, int]], total: Mapping[str, int]) -> Iterator[Found]:
    for split, counts in now.items():
        yield from _found(
            split,
            CLASS_NOT_IN_SPLIT,
            {name: total[name] for name in sorted(set(total) - set(counts))},
            one="class {name} has no images ({images} in all splits)",
            many=f"{{count}} of {len(total)} classes have no images",
            each="{name} ({images} in all splits)",
        )


def _too_small(total: Mapping[str, int], min_images: int) -> list[Found]:
    small = ((count, name) for name, count in total.items() if count < min_images)
    return _found(
        "",
        CLASS_TOO_SMALL,
        {name: count for count, name in sorted(small)},
        one=f"class {{name}} has {{images}} images, fewer than {min_images}",
        many=f"{{count}} of {len(total)} classes have fewer than {min_images} images",
        each="{name} ({images})",
    )
