"""Grey values of 16 bits as 8 bits: as they are, or stretched over the whole range.

Medical and industrial cameras write 12 bits into 16, of which the high byte is nearly black.
`trainer_module/decoding/gray16.py` does the same, to the last bit, in the served graph.
"""

import numpy as np

AS_IS, STRETCH = "as_is", "stretch"
CHOICES = (AS_IS, STRETCH)
# Percentiles that become black and white: what lies outside is dust, hot pixels, burnt-in marks.
LOW_PERCENT, HIGH_PERCENT = 0.5, 99.5


def to_eight_bits(values: np.ndarray, gray16: str, counted: np.ndarray | None = None) -> np.ndarray:
    """Grey values as bytes.

    Args:
      values: uint16 [H, W].
      gray16: `as_is`: the high byte; `stretch`: the 0.5th percentile becomes 0 and the 99.5th
        255, with straight lines between; where the two are equal, the high byte.
      counted: bool [H, W], the pixels that the percentiles are of; None for all.

    Returns:
      uint8 [H, W].
    """
    if gray16 == STRETCH:
        shown = values if counted is None else values[counted]
        if shown.size:
            low, high = (int(nearest_rank(shown, p)) for p in (LOW_PERCENT, HIGH_PERCENT))
            if low < high:
                clipped = np.clip(values, low, high).astype(np.int32) - low
                return ((clipped * 255 + (high - low) // 2) // (high - low)).astype(np.uint8)
    return (values >> 8).astype(np.uint8)


def nearest_rank(values: np.ndarray, percent: float) -> np.generic:
    """The smallest value that `percent` of all values do not exceed, 1 or more values given."""
    rank = max(1, -(-values.size * round(percent * 10) // 1000))
    return np.partition(values.ravel(), rank - 1)[rank - 1]
