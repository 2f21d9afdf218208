"""Examples read without TensorFlow are those that TensorFlow wrote."""

import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.files.example import parse_record
from preprocessing.files.records import make_record

VALUES = st.one_of(
    st.binary(max_size=20),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(width=32, allow_nan=False),
)


@given(st.dictionaries(st.text(max_size=9), VALUES, max_size=6))
def test_round_trip(values):
    assert parse_record(make_record(values)) == values


def test_first_of_several_values_and_none_of_an_empty_list():
    example = tf.train.Example()
    example.features.feature["many"].int64_list.value.extend([3, 4])
    example.features.feature["none"].bytes_list.SetInParent()
    assert parse_record(example.SerializeToString()) == {"many": 3}


def test_what_is_no_example_is_an_error():
    with pytest.raises(Exception, match=r"(?i)pars"):
        parse_record(b"\xff\xff\xff")
