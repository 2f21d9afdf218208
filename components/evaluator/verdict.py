"""The verdict of the gate: each rule, what was measured, whether it held."""

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

import tensorflow_model_analysis as tfma

from components.evaluator.metric_names import EXAMPLE_COUNT, TOP_1, TOP_5

JSON_FILE = "verdict.json"
TEXT_FILE = "verdict.txt"
CONFUSION_FILE = "confusion.json"
# Rules are shown with as many digits as tell a change of one image in 10,000.
DIGITS = 4
TITLES = {TOP_1: "top-1", TOP_5: "top-5"}


@dataclasses.dataclass(frozen=True)
class Rule:
    """One rule of the gate: `text` says what was measured against what."""

    metric: str
    passed: bool
    text: str


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the gate said.

    Attributes:
      blessed: whether every rule held.
      metrics: `top_1` and `top_5`, 0 to 1, and `example_count`, over the evaluation split.
      baseline: the same of the baseline, or None.
      rules: one entry a rule.
      slices: metrics by slice, the worst first:
        `{"slice": {feature: value}, "top_1": ..., "top_5": ..., "example_count": ...}`.
    """

    blessed: bool
    metrics: dict[str, float]
    baseline: dict[str, float] | None
    rules: list[Rule]
    slices: list[dict[str, Any]]

    def lines(self) -> list[str]:
        """The verdict as text: one line a rule, then the result."""
        result = "blessed" if self.blessed else "not blessed"
        lines = [f"{'ok    ' if rule.passed else 'FAILED'} {rule.text}" for rule in self.rules]
        if self.baseline is None:
            lines.append("no model is served yet (or only this one): nothing to compare with")
        return [*lines, result]

    def reason(self) -> str:
        """One line: why the model was blessed or not."""
        failed = [rule.text for rule in self.rules if not rule.passed]
        if failed:
            return f"not blessed: {'; '.join(failed)}"
        return f"blessed: {'; '.join(rule.text for rule in self.rules)}"

    def to_json(self) -> str:
        """The verdict as JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> "Verdict":
        """Reads what `to_json` wrote."""
        values = json.loads(text)
        values["rules"] = [Rule(**rule) for rule in values["rules"]]
        return cls(**values)


def from_evaluation(evaluation_uri: str, has_baseline: bool) -> Verdict:
    """Reads TFMA's metrics and validation and says what they mean.

    Args:
      evaluation_uri: folder of a ModelEvaluation artifact.
      has_baseline: whether a baseline was evaluated as well.

    Raises:
      ValueError: the evaluation split had no examples.
    """
    validation = tfma.load_validation_result(evaluation_uri)
    candidate_name = tfma.CANDIDATE_KEY if has_baseline else None
    candidate = tfma.load_eval_result(evaluation_uri, model_name=candidate_name)
    metrics = _overall(candidate)
    baseline = None
    if has_baseline:
        baseline = _overall(tfma.load_eval_result(evaluation_uri, model_name=tfma.BASELINE_KEY))
    failed = {
        (failure.metric_key.name, failure.metric_threshold.WhichOneof("validate_absolute"))
        for per_slice in validation.metric_validations_per_slice
        for failure in per_slice.failures
    }
    return Verdict(
        blessed=validation.validation_ok,
        metrics=metrics,
        baseline=baseline,
        rules=list(_rules(candidate.config, metrics, baseline, failed)),
        slices=_slices(candidate),
    )


def _rules(
    config: tfma.EvalConfig,
    metrics: dict[str, float],
    baseline: dict[str, float] | None,
    failed: Iterable[tuple[str, str | None]],
) -> Iterable[Rule]:
    for metric in config.metrics_specs[0].metrics:
        if not metric.per_slice_thresholds:
            continue
        threshold = metric.per_slice_thresholds[0].threshold  # over the whole split
        name = json.loads(metric.config)["name"]
        title, value = TITLES[name], metrics[name]
        if threshold.HasField("value_threshold"):
            minimum = threshold.value_threshold.lower_bound.value
            passed = (name, "value_threshold") not in failed
            text = f"{title} {value:.{DIGITS}f}, minimum {max(minimum, 0.0):.{DIGITS}f}"
            yield Rule(name, passed, text)
        if threshold.HasField("change_threshold") and baseline is not None:
            allowed = threshold.change_threshold.absolute.value
            passed = (name, None) not in failed
            text = (
                f"{title} {value:.{DIGITS}f}, baseline {baseline[name]:.{DIGITS}f}, "
                f"change {value - baseline[name]:+.{DIGITS}f}, allowed {allowed:+.{DIGITS}f}"
            )
            yield Rule(name, passed, text)


def _overall(result: Any) -> dict[str, float]:
    for key, metrics in result.slicing_metrics:
        if not key:
            return _values(metrics)
    raise ValueError("TFMA wrote no overall metrics: the evaluation split holds no examples")


def _slices(result: Any) -> list[dict[str, Any]]:
    slices = [
        {"slice": {feature: _text(value) for feature, value in key}, **_values(metrics)}
        for key, metrics in result.slicing_metrics
        if key
    ]
    return sorted(slices, key=lambda entry: (entry[TOP_1], str(entry["slice"])))


def _values(metrics: Any) -> dict[str, float]:
    plain = metrics[""][""]
    return {
        name: float(plain[name]["doubleValue"])
        for name in (TOP_1, TOP_5, EXAMPLE_COUNT)
        if name in plain
    }


def confusion(evaluation_uri: str, has_baseline: bool) -> list[dict[str, int]]:
    """The candidate's confusion matrix over the whole split, without its empty cells.

    Args:
      evaluation_uri: folder of a ModelEvaluation artifact.
      has_baseline: whether a baseline was evaluated as well.

    Returns:
      `{"actual": class index, "predicted": class index, "count": examples}`, one entry a cell.
    """
    candidate_name = tfma.CANDIDATE_KEY if has_baseline else None
    result = tfma.load_eval_result(evaluation_uri, model_name=candidate_name)
    [plots] = [plots for key, plots in result.plots if not key]
    matrix = plots[""][""]["multiClassConfusionMatrixAtThresholds"]["matrices"][0]
    return [
        {
            "actual": int(entry.get("actualClassId", 0)),
            "predicted": int(entry.get("predictedClassId", 0)),
            "count": round(entry["numWeightedExamples"]),
        }
        for entry in matrix["entries"]
    ]


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
