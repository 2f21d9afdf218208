"""Classes that came, went, or have too few images, from the counts in the statistics."""

from collections import Counter
from collections.abc import Iterator, Mapping

from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from components.example_validator.anomaly import (
    CLASS_NEW,
    CLASS_NOT_IN_SPLIT,
    CLASS_TOO_SMALL,
    CLASS_VANISHED,
    Anomaly,
)
from preprocessing import features

Statistics = Mapping[str, statistics_pb2.DatasetFeatureStatisticsList]


def find(
    statistics: Statistics,
    expected: set[str],
    min_images: int,
    previous: Statistics | None = None,
) -> list[Anomaly]:
    """Compares the classes with what was there before and with what is expected.

    Args:
      statistics: by split.
      expected: classes that a schema names.
      min_images: smallest number of images of a class.
      previous: of the corpus before this one, if there was one.
    """
    now = {split: class_counts(of_split) for split, of_split in statistics.items()}
    total = sum(now.values(), Counter())
    before = sum((class_counts(s) for s in (previous or {}).values()), Counter())
    return [
        *_vanished(total, before, expected),
        *_new(total, before),
        *_per_split(now, total),
        *_too_small(total, min_images),
    ]


def class_counts(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> Counter[str]:
    """Number of images by class name."""
    counts: Counter[str] = Counter()
    for dataset in statistics.datasets:
        for feature in dataset.features:
            if list(feature.path.step) == [features.CLASS_TEXT]:
                for bucket in feature.string_stats.rank_histogram.buckets:
                    counts[bucket.label] += int(bucket.sample_count)
    return counts


def schema_classes(schema: schema_pb2.Schema) -> set[str]:
    """The classes that a schema names, none where it lists none."""
    for feature in schema.feature:
        if feature.name == features.CLASS_TEXT:
            domains = {domain.name: domain for domain in schema.string_domain}
            domain = domains.get(feature.domain, feature.string_domain)
            return set(domain.value)
    return set()


def _vanished(
    total: Mapping[str, int], before: Mapping[str, int], expected: set[str]
) -> Iterator[Anomaly]:
    for name in sorted((set(before) | expected) - set(total)):
        if name in before:
            text = f"class {name!r} has no images any more ({before[name]} in the corpus before)"
        else:
            text = f"class {name!r} of the schema has no images"
        yield Anomaly("", features.CLASS_TEXT, CLASS_VANISHED, text)


def _new(total: Mapping[str, int], before: Mapping[str, int]) -> Iterator[Anomaly]:
    if before:
        for name in sorted(set(total) - set(before)):
            text = f"class {name!r} is new ({total[name]} images)"
            yield Anomaly("", features.CLASS_TEXT, CLASS_NEW, text)


def _per_split(now: Mapping[str, Mapping[str, int]], total: Mapping[str, int]) -> Iterator[Anomaly]:
    for split, counts in now.items():
        for name in sorted(set(total) - set(counts)):
            text = f"class {name!r} has no images ({total[name]} in all splits)"
            yield Anomaly(split, features.CLASS_TEXT, CLASS_NOT_IN_SPLIT, text)


def _too_small(total: Mapping[str, int], min_images: int) -> Iterator[Anomaly]:
    for name, count in sorted(total.items()):
        if count < min_images:
            text = f"class {name!r} has {count} images, fewer than {min_images}"
            yield Anomaly("", features.CLASS_TEXT, CLASS_TOO_SMALL, text)
