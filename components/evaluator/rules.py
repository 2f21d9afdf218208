"""The rules of the gate, as the config gives them; imports nothing heavy."""

import dataclasses
import json

ESTIMATE, LOWER_BOUND = "estimate", "lower_bound"
SKIP, FAIL = "skip", "fail"


@dataclasses.dataclass(frozen=True)
class Rules:
    """What a model must reach. None means that there is no such rule.

    Attributes:
      min_top_1: smallest top-1 over all images, 0 to 1.
      min_top_5: smallest top-5.
      max_top_1_drop: largest loss of top-1 against the baseline on the same images.
      min_worst_slice_top_1: smallest top-1 of any slice.
      max_slice_top_1_drop: largest loss of top-1 in any slice.
      min_examples: smallest number of images of the evaluation split.
      min_slice_examples: slices with fewer images decide nothing.
      confidence: of all intervals, both sides together.
      decide_on: ESTIMATE compares what was measured with the bounds, LOWER_BOUND the lower end of
        its interval.
      broken_baseline: SKIP leaves out a baseline that does not load, FAIL ends the evaluation.
      columns: features by which is sliced because the person asked for it; at least one image
        must have each.
    """

    min_top_1: float | None = None
    min_top_5: float | None = None
    max_top_1_drop: float | None = None
    min_worst_slice_top_1: float | None = None
    max_slice_top_1_drop: float | None = None
    min_examples: int = 1
    min_slice_examples: int = 30
    confidence: float = 0.95
    decide_on: str = ESTIMATE
    broken_baseline: str = FAIL
    columns: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The rules as JSON, for an exec property."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Rules":
        """Reads what `to_json` wrote."""
        values = json.loads(text)
        return cls(**{**values, "columns": tuple(values["columns"])})
