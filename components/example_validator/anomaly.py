"""An anomaly as people and scripts see it."""

import dataclasses
from collections.abc import Sequence

from preprocessing.errors import InputError

CLASS_VANISHED, CLASS_NEW = "class_vanished", "class_new"
CLASS_NOT_IN_SPLIT, CLASS_TOO_SMALL = "class_not_in_split", "class_too_small"
# The worst first; what TFDV finds beside these comes between the second and the third.
_RANKS = {CLASS_VANISHED: 0, CLASS_NEW: 1, CLASS_NOT_IN_SPLIT: 3, CLASS_TOO_SMALL: 4}

# So many are named in an error.
MAX_NAMED = 3


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


class CorpusRefused(InputError):
    """The corpus has anomalies, and `on_anomaly` is `fail`."""

    def __init__(self, anomalies: Sequence[Anomaly], listed_in: str):
        """Names the worst."""
        self.anomalies = list(anomalies)
        named = "; ".join(anomaly.line() for anomaly in anomalies[:MAX_NAMED])
        more = f"; and {len(anomalies) - MAX_NAMED} more" if len(anomalies) > MAX_NAMED else ""
        super().__init__(
            f"the images are not as expected: {named}{more}. Mend the corpus or its limits in "
            f"the section data, or set data.on_anomaly to warn. All of them: {listed_in}"
        )
