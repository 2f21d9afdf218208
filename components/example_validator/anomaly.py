"""An anomaly as people and scripts see it."""

import dataclasses

CLASS_VANISHED, CLASS_NEW = "class_vanished", "class_new"
CLASS_NOT_IN_SPLIT, CLASS_TOO_SMALL = "class_not_in_split", "class_too_small"
# The worst first; what TFDV finds beside these comes between the second and the third.
_RANKS = {CLASS_VANISHED: 0, CLASS_NEW: 1, CLASS_NOT_IN_SPLIT: 3, CLASS_TOO_SMALL: 4}


@dataclasses.dataclass(frozen=True)
class Anomaly:
    """Something unusual.

    Attributes:
      split: the split that it is about, empty for the whole corpus.
      feature: key of the feature that it is about, empty for none.
      kind: one of the kinds above, or the name of TFDV's `AnomalyInfo.Type` in lower case.
      text: one line for a person.
    """

    split: str
    feature: str
    kind: str
    text: str

    @property
    def rank(self) -> tuple[int, str, str]:
        """Sorts the worst first."""
        return (_RANKS.get(self.kind, 2), self.split, self.text)

    def line(self) -> str:
        """The text with its split."""
        return f"{self.text} (split {self.split})" if self.split else self.text
