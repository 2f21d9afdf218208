"""An anomaly as people and scripts see it."""

import dataclasses
from collections.abc import Sequence

from preprocessing import failures
from preprocessing.errors import InputError

CLASS_VANISHED, CLASS_NEW = "class_vanished", "class_new"
CLASS_NOT_IN_SPLIT, CLASS_TOO_SMALL = "class_not_in_split", "class_too_small"
# The worst first; what TFDV finds beside these comes between the second and the third.
_RANKS = {CLASS_VANISHED: 0, CLASS_NEW: 1, CLASS_NOT_IN_SPLIT: 3, CLASS_TOO_SMALL: 4}

# So many classes or files of an anomaly are named; the artifact has all of them.
MAX_EXAMPLES = 10
# So many anomalies are named in an error.
MAX_IN_ERROR = 3


@dataclasses.dataclass(frozen=True)
class Anomaly:
    """Something unusual; where it is so of many classes or files, one anomaly stands for them.

    Attributes:
      split: the split that it is about, empty for the whole corpus.
      feature: key of the feature that it is about, empty for none.
      kind: one of the kinds above, or the name of TFDV's `AnomalyInfo.Type` in lower case.
      text: one line for a person.
      count: of how many classes or files it is so; None where it is about the corpus.
      examples: the first `MAX_EXAMPLES` of them, names of classes or URIs of files.
    """

    split: str
    feature: str
    kind: str
    text: str
    count: int | None = None
    examples: tuple[str, ...] = ()

    @property
    def rank(self) -> tuple[int, bool, str, str]:
        """Sorts the worst first, and what is known of single files before what is not."""
        return (_RANKS.get(self.kind, 2), self.count is None, self.split, self.text)

    def line(self) -> str:
        """The text with its split."""
        return f"{self.text} (split {self.split})" if self.split else self.text


def listed(names: Sequence[str], count: int) -> str:
    """The first names in one line, as in `'ant' (2), 'bee' (3), and 98 more`.

    Args:
      names: of classes or files, as they are to be shown.
      count: of all that there are, of which `names` may be the first.
    """
    more = count - len(names)
    return ", ".join(names) + (f", and {more} more" if more else "")


class CorpusRefused(InputError):
    """The corpus has anomalies, and `on_anomaly` is `fail`."""

    def __init__(self, anomalies: Sequence[Anomaly], listed_in: str):
        """Names the worst."""
        self.anomalies = list(anomalies)
        worst = "; ".join(anomaly.line() for anomaly in anomalies[:MAX_IN_ERROR])
        more = (
            f"; and {len(anomalies) - MAX_IN_ERROR} more" if len(anomalies) > MAX_IN_ERROR else ""
        )
        super().__init__(
            f"the images are not as expected: {worst}{more}. Mend the corpus or its limits in "
            f"the section data, or set data.on_anomaly to warn. All of them: {listed_in}"
        )


def refused_anomalies(error: BaseException) -> list[dict[str, str]]:
    """The anomalies for which a run was stopped: `split`, `feature`, `kind`, `text`."""
    for cause in failures.chain(error):
        if isinstance(cause, CorpusRefused):
            return [dataclasses.asdict(anomaly) for anomaly in cause.anomalies]
    return []
