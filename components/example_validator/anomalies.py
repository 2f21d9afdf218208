"""What is unusual about a corpus, found in its statistics by TensorFlow Data Validation."""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from typing import TextIO

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from components.example_validator import class_changes, from_protos, image_search, wording
from components.example_validator.anomaly import Anomaly
from components.example_validator.from_protos import Statistics
from components.example_validator.image_search import Condition
from components.example_validator.limits import Limits
from preprocessing import features

_Type = anomalies_pb2.AnomalyInfo.Type
_TOO_LOW = ("INT_TYPE_SMALL_INT", "FLOAT_TYPE_SMALL_FLOAT")
_TOO_HIGH = ("INT_TYPE_BIG_INT", "FLOAT_TYPE_BIG_FLOAT")
_OTHER_VALUE = "ENUM_TYPE_UNEXPECTED_STRING_VALUES"
_MISSING = "FEATURE_TYPE_LOW_FRACTION_PRESENT"
_OF_FILES = (*_TOO_LOW, *_TOO_HIGH, _OTHER_VALUE, _MISSING)
# What TFDV says beside the former; it says nothing more.
_NOT_ALWAYS_PRESENT = "INVALID_FEATURE_SHAPE"
_DISTANCES = {
    "COMPARATOR_L_INFTY_HIGH": anomalies_pb2.DriftSkewInfo.Measurement.L_INFTY,
    "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH": (
        anomalies_pb2.DriftSkewInfo.Measurement.JENSEN_SHANNON_DIVERGENCE
    ),
}
# The corpus before was counted by other code; that is nothing unusual.
_NOTHING_TO_COMPARE = "COMPARATOR_CONTROL_DATA_MISSING"
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
    *,
    index: Sequence[str],
    scratch: str,
    items: TextIO,
) -> Findings:
    """Looks for anomalies.

    Args:
      statistics: of the image facts, by split.
      schema: what is expected of them; the limits are added where it says nothing.
      limits: what a person set.
      previous: statistics of the corpus before this one, by split, if there was one.
      index: paths of the index files of the same images, to name files; none: none are named.
      scratch: existing folder for temporary files.
      items: gets a line of JSON for each class and each file that an anomaly is about: `split`,
        `feature`, `kind`, and `class` and `images`, or `uri` and `value`.
    """
    limited = with_limits(schema, limits)
    by_split = {
        split: tfdv.validate_statistics(
            current, limited, previous_statistics=(previous or {}).get(split)
        )
        if current.datasets and current.datasets[0].num_examples
        else anomalies_pb2.Anomalies()
        for split, current in statistics.items()
    }
    conditions = list(dict.fromkeys(_conditions(by_split, limited)))
    files = image_search.search(conditions, index, scratch, items)
    anomalies = [_of_files(condition, statistics, files.get(condition)) for condition in conditions]
    anomalies += _of_corpus(by_split, statistics, previous or {})
    expected = from_protos.allowed_values(schema, features.CLASS_TEXT)
    of_classes = class_changes.find(statistics, expected, limits.min_images_per_class, previous)
    for split, found in by_split.items():
        if _OTHER_VALUE in _kinds(found, features.CLASS_TEXT):
            kind = _OTHER_VALUE.lower()
            of_classes += class_changes.of_unknown_classes(statistics, split, kind, expected)
    for anomaly, classes in of_classes:
        anomalies.append(anomaly)
        about = {"split": anomaly.split, "feature": anomaly.feature, "kind": anomaly.kind}
        for of_class in classes:
            items.write(json.dumps({**about, **of_class}, ensure_ascii=False) + "\n")
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


def _conditions(
    by_split: dict[str, anomalies_pb2.Anomalies], schema: schema_pb2.Schema
) -> Iterator[Condition]:
    """What is unusual about single files."""
    for split, found in by_split.items():
        for feature in sorted(found.anomaly_info):
            expected = from_protos.schema_feature(schema, feature)
            if feature not in image_search.SEARCHABLE or expected is None:
                continue
            domain = getattr(expected, expected.WhichOneof("domain_info") or "", None)
            for name in _kinds(found, feature):
                kind = name.lower()
                if name in _TOO_LOW:
                    yield Condition(split, feature, kind, below=domain.min)
                elif name in _TOO_HIGH:
                    yield Condition(split, feature, kind, above=domain.max)
                elif name == _OTHER_VALUE and feature != features.CLASS_TEXT:
                    allowed = from_protos.allowed_values(schema, feature)
                    yield Condition(split, feature, kind, allowed=allowed)
                elif name == _MISSING:
                    # A header that cannot be read is one anomaly, not one for each feature.
                    unread = feature in image_search.OF_THE_HEADER
                    feature_of = features.FORMAT if unread else feature
                    yield Condition(split, feature_of, kind, missing=True)


def _of_files(
    condition: Condition, statistics: Statistics, files: image_search.Files | None
) -> Anomaly:
    text = wording.of_values(condition, statistics[condition.split], files)
    count, first = (files.count, files.first) if files else (None, ())
    return Anomaly(condition.split, condition.feature, condition.kind, text, count, first)


def _of_corpus(
    by_split: dict[str, anomalies_pb2.Anomalies], statistics: Statistics, previous: Statistics
) -> Iterator[Anomaly]:
    """What is unusual about all files of a split together, or is none of the above."""
    for split, found in by_split.items():
        distances = {
            (info.path.step[0], measured.type): measured
            for info in found.drift_skew_info
            for measured in info.drift_measurements
        }
        for feature, info in sorted(found.anomaly_info.items()):
            skipped = _OF_FILES if feature in image_search.SEARCHABLE else ()
            skipped = {_NOTHING_TO_COMPARE, *skipped}
            if _MISSING in _kinds(found, feature):
                skipped.add(_NOT_ALWAYS_PRESENT)
            for reason in info.reason:
                name = _Type.Name(reason.type)
                if name in skipped:
                    continue
                distance = distances.get((feature, _DISTANCES.get(name)))
                if distance is None:
                    text = wording.of_other(feature, reason)
                else:
                    text = wording.of_drift(feature, distance, statistics[split], previous[split])
                yield Anomaly(split, feature, name.lower(), text)
        for reason in found.dataset_anomaly_info.reason:
            text = wording.of_other("", reason)
            yield Anomaly(split, "", _Type.Name(reason.type).lower(), text)


def _kinds(found: anomalies_pb2.Anomalies, feature: str) -> list[str]:
    # To index a map of messages would add an entry.
    reasons = found.anomaly_info[feature].reason if feature in found.anomaly_info else ()
    return [_Type.Name(reason.type) for reason in reasons]
