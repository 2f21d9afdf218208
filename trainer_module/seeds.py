"""The seed of a training in the form that TensorFlow takes everywhere."""

import zlib

_BITS_31 = 2**31 - 1


def in_31_bits(seed: int) -> int:
    """A seed as TensorFlow's int32 seeds hold it.

    Where an int32 tensor and a larger number make one seed, TensorFlow wraps the number or refuses
    it, as the numpy beside it does.

    Args:
      seed: 0 to 2^63 - 1.

    Returns:
      0 to 2^31 - 1: the same number where it fits, else its digest.
    """
    return seed if seed <= _BITS_31 else zlib.crc32(seed.to_bytes(8, "little")) & _BITS_31
