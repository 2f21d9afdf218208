"""Seeds as TensorFlow takes them."""

from hypothesis import given
from hypothesis import strategies as st

from preprocessing.settings import MAX_INT
from trainer_module.seeds import in_31_bits


@given(st.integers(0, MAX_INT))
def test_every_seed_of_the_config_fits_and_small_ones_stay(seed):
    assert 0 <= in_31_bits(seed) < 2**31
    assert in_31_bits(seed) == in_31_bits(seed)
    if seed < 2**31:
        assert in_31_bits(seed) == seed


def test_large_seeds_differ():
    large = [2**31, 2**31 + 1, 2**32, 2**40, 2**63 - 1]
    assert len({in_31_bits(seed) for seed in large}) == len(large)
