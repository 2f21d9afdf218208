"""What statistics and schemas of TensorFlow Metadata say about one feature."""

from collections import Counter
from collections.abc import Mapping

from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

# Statistics by split.
Statistics = Mapping[str, statistics_pb2.DatasetFeatureStatisticsList]


def value_counts(
    statistics: statistics_pb2.DatasetFeatureStatisticsList, feature: str
) -> Counter[str]:
    """Number of images by the value of a text feature; empty where there is no such feature."""
    counts: Counter[str] = Counter()
    found = feature_statistics(statistics, feature)
    if found is not None:
        for bucket in found.string_stats.rank_histogram.buckets:
            counts[bucket.label] += int(bucket.sample_count)
    return counts


def feature_statistics(
    statistics: statistics_pb2.DatasetFeatureStatisticsList, feature: str
) -> statistics_pb2.FeatureNameStatistics | None:
    """The statistics of a feature over all images, None where there is no such feature."""
    for dataset in statistics.datasets[:1]:
        for candidate in dataset.features:
            if list(candidate.path.step) == [feature]:
                return candidate
    return None


def schema_feature(schema: schema_pb2.Schema, feature: str) -> schema_pb2.Feature | None:
    """What a schema says of a feature, None where it does not know it."""
    return next((found for found in schema.feature if found.name == feature), None)


def allowed_values(schema: schema_pb2.Schema, feature: str) -> frozenset[str]:
    """The values that a schema names for a text feature, none where it lists none."""
    found = schema_feature(schema, feature)
    if found is None:
        return frozenset()
    domains = {domain.name: domain for domain in schema.string_domain}
    return frozenset(domains.get(found.domain, found.string_domain).value)
