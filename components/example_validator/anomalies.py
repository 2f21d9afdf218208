"""What is unusual about a corpus, found in its statistics by TensorFlow Data Validation."""

import dataclasses
from collections.abc import Iterable, Mapping

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from components.example_validator import class_changes
from components.example_validator.anomaly import Anomaly
from components.example_validator.limits import Limits
from preprocessing import features

Statistics = Mapping[str, statistics_pb2.DatasetFeatureStatisticsList]

_NOTHING_TO_COMPARE = anomalies_pb2.AnomalyInfo.COMPARATOR_CONTROL_DATA_MISSING
# Features whose distribution is compared with that of the last corpus.
_SIZES = (features.HEIGHT, features.WIDTH, features.ASPECT_RATIO, features.NUM_BYTES)


@dataclasses.dataclass(frozen=True)
class Findings:
    """What was found.

    Attributes:
      anomalies: the worst first.
      by_split: the same in TFDV's form, without what concerns the whole corpus.
    """

    anomalies: list[Anomaly]
    by_split: dict[str, anomalies_pb2.Anomalies]


def find(
    statistics: Statistics,
    schema: schema_pb2.Schema,
    limits: Limits,
    previous: Statistics | None = None,
) -> Findings:
    """Looks for anomalies.

    Args:
      statistics: of the image facts, by split.
      schema: what is expected of them; the limits are added where it says nothing.
      limits: what a person set.
      previous: statistics of the corpus before this one, by split, if there was one.
    """
    limited = with_limits(schema, limits)
    by_split = {}
    anomalies: list[Anomaly] = []
    for split, current in statistics.items():
        if not current.datasets or not current.datasets[0].num_examples:
            by_split[split] = anomalies_pb2.Anomalies()
            continue
        by_split[split] = tfdv.validate_statistics(
            current, limited, previous_statistics=(previous or {}).get(split)
        )
        anomalies += _of_split(split, by_split[split])
    expected = class_changes.schema_classes(schema)
    anomalies += class_changes.find(statistics, expected, limits.min_images_per_class, previous)
    return Findings(sorted(anomalies, key=lambda a: a.rank), by_split)


def with_limits(schema: schema_pb2.Schema, limits: Limits) -> schema_pb2.Schema:
    """A copy of a schema with the limits where it has no domain and no comparator itself."""
    result = schema_pb2.Schema()
    result.CopyFrom(schema)
    for feature in result.feature:
        domain = feature.WhichOneof("domain_info")
        if feature.name in (features.HEIGHT, features.WIDTH) and domain is None:
            feature.int_domain.min = limits.min_side_px
            feature.int_domain.max = limits.max_side_px
        elif feature.name == features.ASPECT_RATIO and domain is None:
            feature.float_domain.min = 1 / limits.max_aspect_ratio
            feature.float_domain.max = limits.max_aspect_ratio
        if feature.HasField("drift_comparator"):
            continue
        if feature.name in (features.CLASS_TEXT, features.FORMAT):
            feature.drift_comparator.infinity_norm.threshold = limits.max_class_drift
        elif feature.name in _SIZES:
            comparator = feature.drift_comparator.jensen_shannon_divergence
            comparator.threshold = limits.max_size_drift
    return result


def _of_split(split: str, found: anomalies_pb2.Anomalies) -> Iterable[Anomaly]:
    for feature, info in sorted(found.anomaly_info.items()):
        for reason in info.reason:
            # The corpus before was counted by other code; that is nothing unusual.
            if reason.type == _NOTHING_TO_COMPARE:
                continue
            kind = anomalies_pb2.AnomalyInfo.Type.Name(reason.type).lower()
            yield Anomaly(split, feature, kind, f"{feature}: {_short(reason)}")
    if found.HasField("dataset_anomaly_info"):
        for reason in found.dataset_anomaly_info.reason:
            kind = anomalies_pb2.AnomalyInfo.Type.Name(reason.type).lower()
            yield Anomaly(split, "", kind, reason.description or reason.short_description)


def _short(reason: anomalies_pb2.AnomalyInfo.Reason) -> str:
    """TFDV's words; those of its comparisons say all of it twice."""
    words = reason.description.replace(" (up to six significant digits)", "").rstrip(". ")
    if words and reason.short_description.startswith("High "):
        return words
    return f"{reason.short_description}: {words}" if words else reason.short_description
