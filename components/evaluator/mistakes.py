"""The most confident mistakes of an evaluation."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from components.evaluator import predictions

_COLUMNS = ("sha256", "uri", "class", "predicted", "probability", "class_probability", "correct")


def most_confident(path: str, limit: int) -> tuple[list[dict[str, Any]], int]:
    """The images of whose wrong class the candidate is surest.

    Args:
      path: of the predictions.
      limit: at most so many images.

    Returns:
      Rows with `sha256`, `uri`, `class`, `predicted`, `probability` and `class_probability`, the
      surest first; and the number of all images that are wrong, those without an answer included.
    """
    best, count = None, 0
    for table in predictions.read(path, _COLUMNS):
        wrong = table.filter(pc.invert(table["correct"]))
        count += wrong.num_rows
        answered = wrong.filter(pc.is_valid(wrong["predicted"])).drop(["correct"])
        both = answered if best is None else pa.concat_tables([best, answered])
        # By digest and URI as well, so that the order is the same at every reading.
        by = [("probability", "descending"), ("sha256", "ascending"), ("uri", "ascending")]
        best = both.sort_by(by).slice(0, limit)
    return (best.to_pylist() if best is not None else []), count
