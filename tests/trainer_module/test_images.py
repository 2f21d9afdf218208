"""Decoding, cropping and augmentation: eagerly and inside tf.data, deterministic, in range."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from trainer_module import augment, images
from trainer_module.rand_augment import OPERATIONS, rand_augment


def photograph(height: int, width: int) -> np.ndarray:
    """A smooth picture with all tones: uint8 [height, width, 3]."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack(
        [rows * 255 / height, columns * 255 / width, (rows + columns) % 256], axis=-1
    ).astype(np.uint8)


def encode(image: np.ndarray, image_format: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(
        buffer, image_format, **({"quality": 100} if image_format == "JPEG" else {})
    )
    return buffer.getvalue()


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "BMP", "GIF"])
@pytest.mark.parametrize("shape", [(50, 80), (80, 50), (3, 200), (1, 1)])
def test_evaluation_takes_the_centred_square(image_format, shape):
    image = photograph(*shape)
    encoded = encode(image, image_format)
    result = images.eval_image(tf.constant(encoded), 24)
    assert result.shape == (24, 24, 3)
    image, side = np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB")), min(shape)
    top, left = (shape[0] - side) // 2, (shape[1] - side) // 2
    square = Image.fromarray(image[top : top + side, left : left + side])
    expected = np.asarray(square.resize((24, 24), Image.BILINEAR), np.int32)
    assert np.abs(result.numpy().astype(np.int32) - expected).max() <= 6


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
@pytest.mark.parametrize("crop_min_area", [0.08, 1.0])
def test_training_images_depend_only_on_the_seed(image_format, crop_min_area):
    encoded = encode(photograph(60, 90), image_format)

    def of_seed(seed):
        return images.train_image(tf.constant(encoded), seed, 32, crop_min_area, True)

    seeds = tf.constant([[0, n] for n in range(12)])
    eager = [of_seed(seed).numpy() for seed in seeds]
    dataset = tf.data.Dataset.from_tensor_slices(seeds).map(of_seed, num_parallel_calls=2)
    for one, other in zip(eager, dataset.as_numpy_iterator(), strict=True):
        assert one.dtype == np.uint8
        assert np.array_equal(one, other)
    assert any(not np.array_equal(eager[0], image) for image in eager[1:])


def test_flips_can_be_turned_off():
    encoded = tf.constant(encode(photograph(40, 40), "PNG"))
    first, *others = (
        images.train_image(encoded, tf.constant([0, n]), 24, 1.0, False).numpy() for n in range(8)
    )
    assert all(np.array_equal(first, other) for other in others)
    assert np.array_equal(first, images.eval_image(encoded, 24).numpy())


@pytest.mark.parametrize("name", sorted(OPERATIONS))
@pytest.mark.parametrize("level", [0.5, 1.5])
def test_randaugment_operations_keep_shape_and_dtype(name, level):
    noise = np.random.default_rng(0).integers(20, 200, (30, 40, 3)).astype(np.uint8)
    image = tf.constant(noise)
    for sign in (-1.0, 1.0):
        result = OPERATIONS[name](image, tf.constant(sign), level)
        assert result.shape == image.shape
        assert result.dtype == tf.uint8
        assert np.array_equal(result, image) == (name == "identity")


def test_operations_do_what_they_say():
    grey = tf.fill([4, 6, 3], tf.constant(100, tf.uint8))
    one = tf.constant(1.0)
    assert np.all(OPERATIONS["brightness"](grey, one, 1.0).numpy() == 190)
    assert np.all(OPERATIONS["brightness"](grey, -one, 1.0).numpy() == 10)
    assert np.all(OPERATIONS["solarize"](grey, one, 1.0).numpy() == 155)
    assert np.all(OPERATIONS["posterize"](grey, one, 1.0).numpy() == 96)
    dark_to_mid = tf.constant(np.repeat(np.arange(50, 110, dtype=np.uint8).reshape(6, 10, 1), 3, 2))
    stretched = OPERATIONS["auto_contrast"](dark_to_mid, one, 1.0).numpy()
    assert (stretched.min(), stretched.max()) == (0, 255)
    picture = tf.constant(photograph(20, 20))
    moved = OPERATIONS["translate_x"](picture, one, 1.0).numpy()  # by 6 of 20 pixels
    assert np.array_equal(moved[:, :14], picture.numpy()[:, 6:])
    assert np.all(moved[:, 14:] == 128)


def test_randaugment_depends_only_on_the_seed():
    image = tf.constant(photograph(24, 24))
    seeds = tf.constant([[3, n] for n in range(10)])

    def of_seed(seed):
        return rand_augment(image, seed, 2, 9.0)

    eager = [of_seed(seed).numpy() for seed in seeds]
    dataset = tf.data.Dataset.from_tensor_slices(seeds).map(of_seed)
    assert all(
        np.array_equal(one, other)
        for one, other in zip(eager, dataset.as_numpy_iterator(), strict=True)
    )
    assert len({image.tobytes() for image in eager}) > 5


@pytest.mark.parametrize("alphas", [(0.2, 0.0), (0.0, 1.0), (0.4, 0.4)])
def test_mixed_targets_say_what_share_of_the_pixels_is_whose(alphas):
    # Image i has the value 10 * i everywhere, so a mean tells the share of its neighbour.
    batch, size = 8, 16
    values = np.arange(batch, dtype=np.uint8) * 10
    pictures = tf.constant(
        np.broadcast_to(values[:, None, None, None], (batch, size, size, 3)).copy()
    )
    targets = tf.one_hot(tf.range(batch), batch)
    mixed, soft = augment.mix_batch(pictures, targets, tf.constant([1, 2]), *alphas)
    assert mixed.dtype == tf.uint8
    np.testing.assert_allclose(tf.reduce_sum(soft, -1), 1.0, atol=1e-6)
    means = tf.reduce_mean(tf.cast(mixed, tf.float32), [1, 2, 3])
    expected = tf.linalg.matvec(soft, tf.constant(values, tf.float32))
    np.testing.assert_allclose(means, expected, atol=0.51)
    assert not np.array_equal(soft, targets)


def test_mixing_that_is_off_changes_nothing():
    pictures, targets = tf.zeros([4, 8, 8, 3], tf.uint8), tf.one_hot([0, 1, 2, 3], 4)
    mixed, soft = augment.mix_batch(pictures, targets, tf.constant([0, 0]), 0.0, 0.0)
    assert mixed is pictures
    assert soft is targets
