"""Decoding, cropping and augmentation: eagerly and inside tf.data, deterministic, in range."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

from trainer_module.data import eval_image, mixup_cutmix, pixel_ops
from trainer_module.data.rand_augment import (
    IMAGENET_POLICY,
    RAND_AUGMENT,
    auto_augment,
    rand_augment,
)
from trainer_module.data.train_images import Augmentation, train_images


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
    result = eval_image.eval_image(tf.constant(encoded), 24)
    assert result.shape == (24, 24, 3)
    image, side = np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB")), min(shape)
    top, left = (shape[0] - side) // 2, (shape[1] - side) // 2
    square = Image.fromarray(image[top : top + side, left : left + side])
    expected = np.asarray(square.resize((24, 24), Image.BILINEAR), np.int32)
    assert np.abs(result.numpy().astype(np.int32) - expected).max() <= 6


def crop(encoded: tf.Tensor, seed: tf.Tensor, how: Augmentation) -> np.ndarray:
    """The training example that one image becomes."""
    [pixels] = train_images(encoded[None], seed[None], how).numpy()
    return pixels


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
@pytest.mark.parametrize("crop_min_area", [0.08, 1.0])
def test_training_images_depend_only_on_the_seed(image_format, crop_min_area):
    encoded = tf.constant(encode(photograph(60, 90), image_format))
    how = Augmentation(32, crop_min_area, randaug_magnitude=10.0)
    seeds = tf.constant([[0, n] for n in range(12)])
    eager = [crop(encoded, seed, how) for seed in seeds]

    def of_seeds(seeds):
        return train_images(tf.repeat(encoded, 4), seeds, how)

    # In other company, and in other threads.
    dataset = tf.data.Dataset.from_tensor_slices(seeds).batch(4, drop_remainder=True)
    groups = dataset.map(of_seeds, num_parallel_calls=2).as_numpy_iterator()
    assert np.array_equal(np.stack(eager), np.concatenate(list(groups)))
    assert eager[0].dtype == np.uint8
    assert any(not np.array_equal(eager[0], image) for image in eager[1:])


def test_flips_can_be_turned_off():
    encoded = tf.constant(encode(photograph(40, 40), "PNG"))
    how = Augmentation(24, 1.0, random_flip=False)
    first, *others = (crop(encoded, tf.constant([0, n]), how) for n in range(8))
    assert all(np.array_equal(first, other) for other in others)
    assert np.array_equal(first, eval_image.eval_image(encoded, 24).numpy())


RIGHT, LEFT = (0.25, 0.5), (0.75, 0.5)  # chances: content moves to the left, or to the right


def apply(name: str, image: np.ndarray, magnitude: float = 10.0, chance=RIGHT) -> np.ndarray:
    """One operation at a strength and in a direction."""
    before, out = image.copy(), np.empty_like(image)
    result = pixel_ops.apply(name, image, magnitude, chance, None)
    assert pixel_ops.apply(name, image, magnitude, chance, out) is out
    assert np.array_equal(image, before)
    assert np.array_equal(result, out)
    return result


def grey(value: int) -> np.ndarray:
    return np.full((4, 6, 3), value, np.uint8)


def test_the_operations_are_those_of_the_published_recipe():
    published = {
        *("AutoContrast", "Equalize", "Invert", "Rotate", "Posterize", "Solarize", "SolarizeAdd"),
        *("Color", "Contrast", "Brightness", "Sharpness", "ShearX", "ShearY"),
        *("TranslateX", "TranslateY", "Cutout"),
    }
    ours = {name.replace("_", "") for name in RAND_AUGMENT}
    assert ours == {name.lower() for name in published} | {"identity"}
    assert len(RAND_AUGMENT) == 17


# Those that do nothing, and the magnitudes at which the published scale has others do nothing.
STILL = {("identity", m) for m in (4.0, 5.0, 7.0, 15.0, 30.0)}
STILL |= {(name, 5.0) for name in ("color", "contrast", "brightness", "sharpness")}
STILL |= {("solarize", 15.0), ("solarize", 30.0), ("posterize", 30.0)}


@pytest.mark.parametrize("name", sorted(pixel_ops.OPERATIONS))
@pytest.mark.parametrize("magnitude", [4.0, 5.0, 7.0, 15.0, 30.0])
def test_operations_keep_shape_and_dtype(name, magnitude):
    noise = np.random.default_rng(0).integers(20, 200, (30, 40, 3)).astype(np.uint8)
    for chance in (RIGHT, LEFT):
        result = apply(name, noise, magnitude, chance)
        assert result.shape == noise.shape
        assert result.dtype == np.uint8
        assert np.array_equal(result, noise) == ((name, magnitude) in STILL)


@pytest.mark.parametrize("name", sorted(pixel_ops.OPERATIONS))
@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 5, 3), (7, 1, 3)])
def test_operations_bear_tiny_images(name, shape):
    for chance in (RIGHT, LEFT, (0.0, 0.0), (0.999, 0.999)):
        assert apply(name, np.full(shape, 90, np.uint8), 10.0, chance).shape == shape


def test_operations_do_what_they_say():
    assert np.all(apply("brightness", grey(100)) == 190)
    assert np.all(apply("brightness", grey(100), 0.0) == 10)
    assert np.all(apply("brightness", grey(200)) == 255)
    assert np.all(apply("solarize", grey(100), 0.0) == 155)
    assert np.all(apply("solarize", grey(100), 5.0) == 100)
    assert np.all(apply("solarize", grey(128), 5.0) == 127)
    assert np.all(apply("solarize", grey(255), 10.0) == 255)
    assert np.all(apply("solarize_add", grey(100)) == 210)
    assert np.all(apply("solarize_add", grey(100), 20.0) == 255)
    assert np.all(apply("solarize_add", grey(128)) == 128)
    assert np.all(apply("posterize", grey(100)) == 96)
    assert np.all(apply("posterize", grey(100), 5.0) == 64)
    assert np.all(apply("posterize", grey(200), 0.0) == 128)
    assert np.all(apply("invert", grey(100)) == 155)
    dark_to_mid = np.repeat(np.arange(50, 110, dtype=np.uint8).reshape(6, 10, 1), 3, 2)
    stretched = apply("auto_contrast", dark_to_mid)
    assert (stretched.min(), stretched.max()) == (0, 255)


@pytest.mark.parametrize(
    ("side", "magnitude", "moved_px", "cut_px"),
    [
        (171, 5.0, 50, 40),  # the stages of the published recipe, pixel by pixel
        (214, 25 / 3, 83, 66),
        (257, 35 / 3, 117, 92),
        (300, 15.0, 150, 120),
        (300, 10.0, 100, 80),
        (57, 5.0, 17, 12),  # a third of its smallest size: a third of the distances
        (48, 30.0, 24, 24),  # never more than half of the picture
    ],
)
def test_distances_are_the_published_pixels_and_shares_of_small_pictures(
    side, magnitude, moved_px, cut_px
):
    picture = noise(side, side)
    left = apply("translate_x", picture, magnitude)
    assert np.array_equal(left[:, :-moved_px], picture[:, moved_px:])
    assert np.array_equal(left[:, -moved_px:], picture[:, -moved_px:][:, ::-1])
    right = apply("translate_x", picture, magnitude, LEFT)
    assert np.array_equal(right, apply("translate_x", picture[:, ::-1].copy(), magnitude)[:, ::-1])
    for chance in (RIGHT, LEFT):
        transposed = apply("translate_x", picture.swapaxes(0, 1).copy(), magnitude, chance)
        assert np.array_equal(
            apply("translate_y", picture, magnitude, chance), transposed.swapaxes(0, 1)
        )
    white = np.full_like(picture, 255)
    white[0, 0] = 0  # or the picture would have one colour
    cut = apply("cutout", white, magnitude, (0.5, 0.5)) == 128
    assert (cut.any(axis=1).sum() // 3, cut.any(axis=0).sum() // 3) == (cut_px, cut_px)
    assert cut.sum() == 3 * cut_px**2
    corner = apply("cutout", white, magnitude, (0.999, 0.0)) == 128
    assert corner.sum() == 3 * (cut_px // 2) * (cut_px // 2 + 1)


PICTURES = {
    "photograph": photograph(60, 60),
    "noise": np.random.default_rng(2).integers(0, 256, (60, 60, 3)).astype(np.uint8),
    "dark": photograph(60, 60) // 5,
    "bright": 255 - photograph(60, 60) // 5,
    "pale": 100 + photograph(60, 60) // 100,
    "two colours": np.where(np.arange(3600).reshape(60, 60, 1) % 7, [10, 200, 40], [60, 30, 90]),
    "two greys": np.where(np.arange(3600).reshape(60, 60, 1) % 7, 100, 155) + np.zeros(3, int),
    "a dot": np.pad(np.full((1, 1, 3), 30), ((20, 39), (50, 9), (0, 0)), constant_values=220),
    "a wide dot": np.pad(np.full((2, 2, 3), 200), ((5, 2), (6, 9), (0, 0)), constant_values=140),
}


@pytest.mark.parametrize("name", sorted(pixel_ops.OPERATIONS))
@pytest.mark.parametrize("picture", sorted(PICTURES))
def test_no_operation_takes_all_contrast(name, picture):
    image = PICTURES[picture].astype(np.uint8)
    for magnitude in np.arange(0.0, 30.5, 0.5):
        for chance in (RIGHT, LEFT, (0.4, 0.8)):
            result = apply(name, image, float(magnitude), chance)
            assert not pixel_ops.is_plain(result), f"{magnitude}, {chance}"
            if picture in ("photograph", "noise"):
                assert result.std() > 0.08 * image.std(), f"{magnitude}, {chance}"


def test_a_plain_picture_is_seen_whatever_its_size():
    for shape in ((1, 1, 3), (3, 200, 3), (200, 3, 3), (64, 64, 3)):
        image = np.full(shape, 7, np.uint8)
        assert pixel_ops.is_plain(image)
        image[-1, -1, 2] = 8
        assert pixel_ops.is_plain(image) == (shape == (1, 1, 3))


@pytest.mark.parametrize("magnitude", [5, 25 / 3, 35 / 3, 15, 30])
def test_randaugment_keeps_the_picture(magnitude):
    image = photograph(171, 171)
    results = [rand_augment(image, draws(seed), 2, magnitude) for seed in range(300)]
    assert not any(map(pixel_ops.is_plain, results))
    # Nearly black, nearly white: an accident of two operations after one another, not a habit.
    pale = [result for result in results if result.std() < 0.2 * image.std()]
    assert len(pale) < 0.05 * len(results)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(1).integers(30, 220, (height, width, 3)).astype(np.uint8)


MOVED = {
    "rotate": lambda image: image.rotate(15),
    "shear_x": lambda image: image.transform(
        image.size, Image.Transform.AFFINE, (1, 0.15, -0.075, 0, 1, 0)
    ),
}
# What another library makes of the same picture, at the same strength.
PILLOW = {
    "auto_contrast": (5, lambda image: ImageOps.autocontrast(image)),
    "equalize": (5, lambda image: ImageOps.equalize(image)),
    "invert": (5, lambda image: ImageOps.invert(image)),
    "solarize": (5, lambda image: ImageOps.solarize(image, 128)),
    "posterize": (15, lambda image: ImageOps.posterize(image, 6)),
    "color": (7.5, lambda image: ImageEnhance.Color(image).enhance(1.45)),
    "brightness": (7.5, lambda image: ImageEnhance.Brightness(image).enhance(1.45)),
    "contrast": (7.5, lambda image: ImageEnhance.Contrast(image).enhance(1.45)),
    "sharpness": (7.5, lambda image: ImageEnhance.Sharpness(image).enhance(1.45)),
    **{name: (5, operation) for name, operation in MOVED.items()},
}


@pytest.mark.parametrize("name", sorted(PILLOW))
def test_operations_agree_with_pillow(name):
    picture = np.concatenate([photograph(20, 60), noise(21, 60)])
    magnitude, reference = PILLOW[name]
    expected = np.asarray(reference(Image.fromarray(picture)), np.int32)
    result = apply(name, picture, magnitude).astype(np.int32)
    if name in MOVED:  # Pillow does not mirror: look only where both have the picture
        inside = MOVED[name](Image.fromarray(np.full_like(picture, 255)))
        kept = np.asarray(inside)[..., 0] == 255
        assert 0.5 < kept.mean() < 1.0
        result, expected = result[kept], expected[kept]
    # Pillow rounds intermediate results, and chooses the other pixel where two are as near: in
    # 2 of the 41 rows of a shear.
    difference = np.abs(result - expected).max(-1)
    assert (difference <= 3).mean() > (0.94 if name in MOVED else 0.999)


def draws(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


def test_randaugment_depends_only_on_the_seed():
    image = photograph(24, 24)
    results = [rand_augment(image, draws(seed), 2, 9.0) for seed in range(10)]
    again = [rand_augment(image, draws(seed), 2, 9.0) for seed in range(10)]
    assert all(np.array_equal(*pair) for pair in zip(results, again, strict=True))
    assert len({result.tobytes() for result in results}) > 5


def test_autoaugment_depends_only_on_the_seed_and_uses_every_sub_policy():
    image = photograph(24, 24)
    results = [auto_augment(image, draws(seed)) for seed in range(60)]
    again = [auto_augment(image, draws(seed)) for seed in range(60)]
    assert all(np.array_equal(*pair) for pair in zip(results, again, strict=True))
    assert len({result.tobytes() for result in results}) > len(IMAGENET_POLICY) / 2
    assert len(IMAGENET_POLICY) == 25


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "BMP", "GIF"])
@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (200, 3), (33, 17)])
def test_any_picture_can_be_cropped_and_augmented(image_format, shape):
    encoded = tf.constant(encode(photograph(*shape), image_format))
    for how in (
        Augmentation(16, randaug_magnitude=10.0),
        Augmentation(16, 1.0, auto_augment=True),
        Augmentation(16, 0.5, random_flip=False),
    ):
        for number in range(4):
            assert crop(encoded, tf.constant([9, number]), how).shape == (16, 16, 3)


@pytest.mark.parametrize("side", [190, 400, 1600])
def test_a_large_jpeg_is_decoded_smaller_and_looks_the_same(side):
    picture = photograph(side, side)
    encoded = tf.constant(encode(picture, "JPEG"))
    as_png = tf.constant(encode(picture, "PNG"))  # which can only be decoded whole
    for number in range(6):
        seed = tf.constant([4, number])
        how = Augmentation(32, 0.2, random_flip=False)
        small, whole = (crop(data, seed, how).astype(np.int32) for data in (encoded, as_png))
        # The third channel is a sawtooth, whose edges differ.
        assert np.abs(small - whole)[..., :2].mean() < 5


@pytest.mark.parametrize("alphas", [(0.2, 0.0), (0.0, 1.0), (0.4, 0.4)])
def test_mixed_targets_say_what_share_of_the_pixels_is_whose(alphas):
    # Image i has the value 10 * i everywhere, so a mean tells the share of its neighbour.
    batch, size = 8, 16
    values = np.arange(batch, dtype=np.uint8) * 10
    pictures = tf.constant(
        np.broadcast_to(values[:, None, None, None], (batch, size, size, 3)).copy()
    )
    targets = tf.one_hot(tf.range(batch), batch)
    mixed, soft = mixup_cutmix.mix_batch(pictures, targets, tf.constant([1, 2]), *alphas)
    assert mixed.dtype == tf.uint8
    np.testing.assert_allclose(tf.reduce_sum(soft, -1), 1.0, atol=1e-6)
    means = tf.reduce_mean(tf.cast(mixed, tf.float32), [1, 2, 3])
    expected = tf.linalg.matvec(soft, tf.constant(values, tf.float32))
    np.testing.assert_allclose(means, expected, atol=0.51)
    assert not np.array_equal(soft, targets)


def test_mixing_that_is_off_changes_nothing():
    pictures = tf.constant(np.arange(4 * 8 * 8 * 3, dtype=np.uint8).reshape(4, 8, 8, 3))
    targets = tf.one_hot([0, 1, 2, 3], 4)
    mixed, soft = mixup_cutmix.mix_batch(pictures, targets, tf.constant([0, 0]), 0.0, 0.0)
    assert np.array_equal(mixed, pictures)
    assert np.array_equal(soft, targets)
