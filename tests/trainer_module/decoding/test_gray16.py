"""16-bit grey in the served graph, against the preprocessing: the same to the last bit."""

import io

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st
from nasty_corpus import sixteen_bit
from PIL import Image

from preprocessing.images import gray16 as of_files
from preprocessing.images import image_ops
from trainer_module.decoding import decode
from trainer_module.decoding import gray16 as in_graph

BACKGROUND = (10, 200, 60)


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(
    seed=st.integers(0, 1000),
    most=st.sampled_from([0, 1, 255, 4095, 65_535]),
    offset=st.integers(0, 3000),
    count=st.integers(1, 700),
    hidden=st.floats(0, 1),
)
def test_both_stretch_alike(seed, most, offset, count, hidden):
    random = np.random.default_rng(seed)
    values = random.integers(0, most + 1, (count, 3)) + offset
    values = np.minimum(values, 65_535).astype(np.uint16)
    counted = random.random(values.shape) >= hidden
    expected = of_files.to_eight_bits(values, of_files.STRETCH, counted)
    np.testing.assert_array_equal(in_graph.stretched(values, counted), expected)


@pytest.mark.parametrize("gray16", of_files.CHOICES)
@pytest.mark.parametrize(("channels", "key"), [(1, b""), (1, b"\x03\xe8"), (2, b""), (3, b"")])
def test_serving_does_what_the_preprocessing_does(gray16, channels, key):
    values = np.random.default_rng(1).integers(300, 4000, (20, 30, channels), np.uint16)
    values[0, :4] = 1000  # transparent, where that is the key
    if channels == 2:
        values[..., 1] = np.linspace(0, 65_535, 30)
    data = sixteen_bit(values, key)
    limits = {"max_side_px": 1000, "jpeg_quality": 95, "max_pixels": 10**6}
    result = image_ops.normalise(data, **limits, background=BACKGROUND, gray16=gray16)
    prepared = np.asarray(Image.open(io.BytesIO(result.data)).convert("RGB"), np.int32)
    served = decode.decode(tf.constant(data), BACKGROUND, gray16).numpy().astype(np.int32)
    assert np.abs(served - prepared).max() <= (1 if channels == 2 else 0)
    assert (served[5:, 15:].std() > 50) == (gray16 == of_files.STRETCH and channels < 3)
