"""Grey values of 16 bits stretched over 8, in graph operations.

The percentiles and the rounding are those of preprocessing/images/gray16.py, to the last bit.
"""

import tensorflow as tf

AS_IS, STRETCH = "as_is", "stretch"
_VALUES = 1 << 16
_LOW_PER_MILLE, _HIGH_PER_MILLE = 5, 995


def stretched(values: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
    """The 0.5th percentile becomes 0, the 99.5th 255; where they are equal, the high byte counts.

    Args:
      values: uint16 [H, W].
      counted: bool [H, W], the pixels that the percentiles are of.

    Returns:
      uint8 [H, W].
    """
    values = tf.cast(values, tf.int32)
    shown = tf.boolean_mask(values, counted)
    up_to = tf.cumsum(tf.math.bincount(shown, minlength=_VALUES, dtype=tf.int64))  # [65536]
    count = tf.size(shown, tf.int64)
    ranks = [tf.maximum((count * p + 999) // 1000, 1) for p in (_LOW_PER_MILLE, _HIGH_PER_MILLE)]
    low, high = tf.unstack(tf.searchsorted(up_to, tf.stack(ranks)))
    span = tf.maximum(high - low, 1)
    spread = ((tf.clip_by_value(values, low, high) - low) * 255 + span // 2) // span
    high_byte = tf.bitwise.right_shift(values, 8)
    return tf.cast(tf.where((low < high) & (count > 0), spread, high_byte), tf.uint8)
