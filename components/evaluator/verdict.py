"""The verdict of the gate as a value, as JSON and as text."""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.evaluator.metric_names import EXAMPLE_COUNT, TOP_1, TOP_5

JSON_FILE = "verdict.json"
TEXT_FILE = "verdict.txt"
CONFUSION_FILE = "confusion.json"
# Rules are shown with as many digits as tell a change of one image in 10,000.
DIGITS = 4
TITLES = {TOP_1: "top-1", TOP_5: "top-5"}
NO_SUCH_BASELINE = "no other model is served"
# As many classes and slices are named in the text; the JSON has all.
MAX_NAMED = 5


@dataclasses.dataclass(frozen=True)
class Rule:
    """One rule of the gate: `text` says what was measured against what."""

    metric: str
    passed: bool
    text: str


@dataclasses.dataclass(frozen=True)
class Override:
    """A person's decision to serve a model that the gate did not bless.

    Attributes:
      reason: why, in the person's words.
      user: who, as the system knows them.
      time: when, UTC, as `2026-01-31T12:00:00Z`.
    """

    reason: str
    user: str
    time: str


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the gate said.

    Attributes:
      blessed: whether the model may be served: every rule held, or a person overrode the gate.
      metrics: over the evaluation split, as `measures.figures` gives them.
      baseline: the same of the baseline, or None.
      no_baseline: why there is no baseline; empty if there is one.
      change: `top_1` and `top_5`: the fields of `paired.Change`; empty without a baseline.
      rules: one entry a rule.
      slices: figures by slice, the worst first, each with `slice` (value by feature), and with a
        baseline `baseline_top_1` and `change`.
      classes: recall and precision by class, the worst first, as `measures.classes` gives them.
      calibration: the bins of the reliability diagram, as `tally.reliability` gives them.
      confidence: of all intervals, both sides together.
      decide_on: `estimate` or `lower_bound`: what the rules compare.
      min_slice_examples: slices with fewer images decide nothing.
      override: the person's decision, if there was one; `rules` then are still the gate's.
    """

    blessed: bool
    metrics: dict[str, Any]
    baseline: dict[str, Any] | None
    rules: list[Rule]
    slices: list[dict[str, Any]]
    no_baseline: str = NO_SUCH_BASELINE
    change: dict[str, Any] = dataclasses.field(default_factory=dict)
    classes: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    calibration: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    confidence: float = 0.95
    decide_on: str = "estimate"
    min_slice_examples: int = 1
    override: Override | None = None

    def lines(self) -> list[str]:
        """The verdict as text: one line a rule, notes, the worst classes, the result."""
        lines = [f"{rule.text}: {_said(rule.passed)}" for rule in self.rules]
        if self.baseline is None:
            lines.append(f"{self.no_baseline}: rules about a change do not apply")
        lines += _block("worst classes:", self.worst_classes())
        lines += _block("slices that got worse:", self.worse_slices())
        if self.override is not None:
            lines.append(f"the gate said: {_said(all(rule.passed for rule in self.rules))}")
        return [*lines, self.reason() if self.override else _said(self.blessed)]

    def reason(self) -> str:
        """One line: why the model was blessed or not."""
        if self.override is not None:
            by = f"{self.override.user} at {self.override.time}"
            return f"blessed by {by} against the gate: {self.override.reason}"
        if not self.blessed:
            failed = [rule.text for rule in self.rules if not rule.passed]
            return f"not blessed: {'; '.join(failed)}"
        held = [rule.text for rule in self.rules]
        return f"blessed: {'; '.join(held) or f'{self.no_baseline}, and no other rule applies'}"

    def worst_classes(self) -> list[str]:
        """A line for each of the classes with the lowest recall, if it is below 1."""
        wrong = [entry for entry in self.classes if entry["images"] and entry["recall"] < 1]
        return [_class_line(entry) for entry in wrong[:MAX_NAMED]]

    def worse_slices(self) -> list[str]:
        """A line for each slice that lost, the surest first.

        Small slices are left out, and those that have all images and so say nothing new.
        """
        lost = [
            entry
            for entry in self.slices
            if "change" in entry
            and entry["change"]["estimate"] < 0
            and self.min_slice_examples <= entry[EXAMPLE_COUNT] < self.metrics[EXAMPLE_COUNT]
        ]
        lost.sort(key=lambda entry: (entry["change"]["high"], entry["change"]["estimate"]))
        return [_slice_line(entry) for entry in lost[:MAX_NAMED]]

    def to_json(self) -> str:
        """The verdict as JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> "Verdict":
        """Reads what `to_json` wrote."""
        return cls.from_values(json.loads(text))

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "Verdict":
        """Reads the object in that JSON."""
        values = {**values, "rules": [Rule(**rule) for rule in values["rules"]]}
        if values.get("override") is not None:
            values["override"] = Override(**values["override"])
        return cls(**values)


def interval(bounds: Sequence[float], signed: bool = False) -> str:
    """An interval as text, as in `[0.8010, 0.8230]`."""
    sign = "+" if signed else ""
    return f"[{bounds[0]:{sign}.{DIGITS}f}, {bounds[1]:{sign}.{DIGITS}f}]"


def slice_name(values: Mapping[str, str]) -> str:
    """A slice as text, as in `class=cat`: the end of the feature's key, and its value."""
    shown = []
    for key, value in values.items():
        name = "class" if key == "image/class/text" else key.rpartition("/")[2]
        shown.append(f"{name}={value}")
    return ", ".join(shown)


def _said(blessed: bool) -> str:
    return "blessed" if blessed else "not blessed"


def _block(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield title
        yield from (f"  {line}" for line in lines)


def _class_line(entry: Mapping[str, Any]) -> str:
    text = f"{entry['class']}: recall {entry['recall']:.{DIGITS}f}"
    text += f" {interval(entry['recall_interval'])} of {entry['images']} images"
    if entry["precision"] is not None:
        text += f", precision {entry['precision']:.{DIGITS}f}"
        text += f" {interval(entry['precision_interval'])}"
    if "taken_for" in entry:
        text += f", {entry['taken_for_count']} taken for {entry['taken_for']}"
    return text


def _slice_line(entry: Mapping[str, Any]) -> str:
    change = entry["change"]
    return (
        f"{slice_name(entry['slice'])} ({entry[EXAMPLE_COUNT]} images): "
        f"top-1 {entry[TOP_1]:.{DIGITS}f}, baseline {entry['baseline_top_1']:.{DIGITS}f}, "
        f"change {change['estimate']:+.{DIGITS}f} "
        f"{interval((change['low'], change['high']), signed=True)}"
    )
