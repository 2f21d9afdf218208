"""What TensorFlow Data Validation found, in the words of people who work with images."""

from collections import Counter

from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from components.example_validator import from_protos
from components.example_validator.image_search import OF_THE_HEADER, Condition, Files
from preprocessing import features
from preprocessing.text import one_line

# What a feature is called, and the unit of its values.
_NAMES = {
    features.FORMAT: ("format", ""),
    features.HEIGHT: ("height", " px"),
    features.WIDTH: ("width", " px"),
    features.ASPECT_RATIO: ("aspect ratio", ""),
    features.NUM_BYTES: ("file size", " bytes"),
    features.CLASS_TEXT: ("class", ""),
}
_DISTANCES = {
    anomalies_pb2.DriftSkewInfo.Measurement.L_INFTY: "L-infinity distance",
    anomalies_pb2.DriftSkewInfo.Measurement.JENSEN_SHANNON_DIVERGENCE: "Jensen-Shannon divergence",
}
# So many files are named in a line; `Anomaly.examples` has more.
_FILES_IN_TEXT = 3


def of_values(
    condition: Condition,
    statistics: statistics_pb2.DatasetFeatureStatisticsList,
    files: Files | None,
) -> str:
    """A line about files whose value is not as expected.

    Args:
      condition: what is unusual.
      statistics: of the split.
      files: those that were found; None where there is no index to look in.
    """
    name, unit = _NAMES[condition.feature]
    if condition.missing:
        of_header = condition.feature in OF_THE_HEADER
        text = "the header cannot be read, so neither format nor size is known"
        text = text if of_header else f"the {name} is not known"
    elif condition.allowed:
        counts = from_protos.value_counts(statistics, condition.feature)
        others = sorted(set(counts) - condition.allowed)
        text = (
            f"the {name} is {', '.join(others)} (allowed: {', '.join(sorted(condition.allowed))})"
        )
    else:
        found = from_protos.feature_statistics(statistics, condition.feature)
        low = condition.below is not None
        limit = condition.below if low else condition.above
        value = found.num_stats.min if low else found.num_stats.max
        extreme, bound = _numbers(value, limit)
        adjective = "smallest" if low else "largest"
        text = f"the {adjective} {name} is {extreme}{unit} (limit {bound})"
    return f"{text}: {_files(files)}" if files else text


def of_drift(
    feature: str,
    measured: anomalies_pb2.DriftSkewInfo.Measurement,
    now: statistics_pb2.DatasetFeatureStatisticsList,
    before: statistics_pb2.DatasetFeatureStatisticsList,
) -> str:
    """A line about a distribution that is not that of the corpus before.

    Args:
      feature: its key.
      measured: the distance, and how large it may be.
      now: statistics of a split.
      before: of the same split of the corpus before.
    """
    name, unit = _NAMES[feature]
    distance, limit = _numbers(measured.value, measured.threshold)
    text = f"the distribution of the {name} changed against the corpus before: "
    text += f"{_DISTANCES[measured.type]} {distance} (limit {limit})"
    if feature in (features.CLASS_TEXT, features.FORMAT):
        shares, earlier = (_shares(from_protos.value_counts(s, feature)) for s in (now, before))
        largest = max(sorted({*shares, *earlier}), key=lambda v: abs(shares[v] - earlier[v]))
        return (
            f"{text}; '{one_line(largest)}' has {shares[largest]:.1%} of the images instead of "
            f"{earlier[largest]:.1%}"
        )
    ranges = [
        f"{numbers.min:.6g} to {numbers.max:.6g}{unit} (median {numbers.median:.6g})"
        for numbers in (from_protos.feature_statistics(s, feature).num_stats for s in (now, before))
    ]
    return f"{text}; the values are {' instead of '.join(ranges)}"


def of_other(feature: str, reason: anomalies_pb2.AnomalyInfo.Reason) -> str:
    """A line about anything else that a schema can ask for, in TFDV's own words."""
    name, _ = _NAMES.get(feature, (feature, ""))
    description = reason.description.replace(" (up to six significant digits)", "").rstrip(". ")
    parts = [part for part in (name, reason.short_description, description) if part]
    return ": ".join(parts)


def _files(files: Files) -> str:
    shown = [one_line(uri) for uri in files.first[:_FILES_IN_TEXT]]
    if files.count == 1:
        return f"1 picture, {shown[0]}"
    return f"{files.count} pictures, for example {', '.join(shown)}"


def _shares(counts: Counter[str]) -> Counter[str]:
    return Counter({value: count / counts.total() for value, count in counts.items()})


def _numbers(value: float, limit: float) -> tuple[str, str]:
    """Both as text; the value with two decimals, or as many as tell it from zero and the limit."""
    bound = f"{limit:.6g}"
    for decimals in range(2, 17):
        shown = f"{value:.{decimals}f}"
        if float(shown) not in {0.0, float(bound)} - {value}:
            break
    return shown.rstrip("0").rstrip("."), bound
