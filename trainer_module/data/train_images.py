"""From encoded images to the pixels of training examples: crop, flip, augmentation.

What an image becomes depends only on its seed. TensorFlow decodes, and only those blocks of a
JPEG that are needed, at a reduced scale where that has pixels enough. OpenCV does the rest, on
uint8: TensorFlow's CPU kernels go through float32 and take two to four times as long.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
import tensorflow as tf

from preprocessing import features
from trainer_module.data import eval_image
from trainer_module.data.rand_augment import auto_augment, rand_augment
from trainer_module.decoding import file_bytes, orientation

# Random crops as published (Inception, arXiv 1409.4842): aspect ratio of the crop.
ASPECT_RATIOS = (3 / 4, 4 / 3)
# A JPEG decoder can leave out frequencies, and then makes a picture that is so much smaller.
JPEG_SCALES = (1, 2, 4, 8)
_FILE, _SEED = tf.TensorSpec([], tf.string), tf.TensorSpec([2], tf.int32)
_SIDE = tf.TensorSpec([], tf.int32)


class Augmentation(NamedTuple):
    """What is done to each image.

    Attributes:
      size_px: side of the result; int32 [] where it is known only when the graph runs.
      crop_min_area: smallest share of the area that is kept; 1 takes the largest centred square.
      random_flip: whether half of the images are mirrored.
      auto_augment: AutoAugment instead of RandAugment.
      randaug_layers: operations of RandAugment.
      randaug_magnitude: their strength; 0 is off. float64 [] where it is known only when the
        graph runs.
    """

    size_px: int | tf.Tensor
    crop_min_area: float = 0.08
    random_flip: bool = True
    auto_augment: bool = False
    randaug_layers: int = 2
    randaug_magnitude: float | tf.Tensor = 0.0


def train_images(encoded: tf.Tensor, seeds: tf.Tensor, options: Augmentation) -> tf.Tensor:
    """A random part of each image, perhaps mirrored, perhaps augmented.

    Args:
      encoded: string [N], files; N is known when the graph is made, and small: each image has its
        own nodes. They share one call into Python, which costs as much as a resize.
      seeds: int32 [N, 2]; an image with the same seed has the same pixels, whatever its
        neighbours are.
      options: what is done to each image.

    Returns:
      uint8 [N, size_px, size_px, 3].
    """

    def finish(
        size_px: np.ndarray, magnitude: np.ndarray, seeds: np.ndarray, *crops: np.ndarray
    ) -> np.ndarray:
        now = options._replace(size_px=int(size_px), randaug_magnitude=float(magnitude))
        # The last two are for what lies between: fresh memory costs as much as a resize.
        shape = [len(crops) + 2, now.size_px, now.size_px, features.CHANNELS]
        *targets, first, second = buffers = np.empty(shape, np.uint8)
        for target, seed, crop in zip(targets, seeds, crops, strict=True):
            augment_into(target, crop, seed, now, (first, second))
        return buffers[:-2]

    size_px = tf.convert_to_tensor(options.size_px)
    magnitude = tf.convert_to_tensor(options.randaug_magnitude, tf.float64)
    crop = _crop_function(options.crop_min_area)
    plain = orientation.begins_with_tables(encoded)
    examples = zip(tf.unstack(encoded), tf.unstack(plain), tf.unstack(seeds), strict=True)
    crops = [crop(*example, size_px) for example in examples]
    inputs = [size_px, magnitude, seeds, *crops]
    pixels = tf.numpy_function(finish, inputs, tf.uint8, stateful=False)
    return tf.ensure_shape(pixels, [len(crops), None, None, features.CHANNELS])


def augment_into(
    target: np.ndarray,
    crop: np.ndarray,
    seed: np.ndarray,
    options: Augmentation,
    spare: tuple[np.ndarray, np.ndarray],
) -> None:
    """Brings a crop to its size, and mirrors and augments it.

    Args:
      target: uint8 [size_px, size_px, 3], gets the result.
      crop: uint8 [h, w, 3], RGB; not written to.
      seed: int32 [2].
      options: what is done to each image.
      spare: two of the shape of `target`, for what lies between.
    """
    key = seed.astype(np.uint32).astype(np.uint64)
    draws = np.random.Generator(np.random.Philox(key=key))
    size = (options.size_px, options.size_px)
    pixels, (free, used) = crop, spare
    if crop.shape[:2] != size:
        shrinks = min(crop.shape[:2]) >= 2 * options.size_px
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        pixels = cv2.resize(crop, size, used, interpolation=method)
    if options.random_flip and draws.random() < 0.5:
        pixels = cv2.flip(pixels, 1, free)
        free, used = used, free
    if options.randaug_magnitude and not options.auto_augment:
        layers, magnitude = options.randaug_layers, options.randaug_magnitude
        rand_augment(pixels, draws, layers, magnitude, target, (free, used))
        return
    target[...] = auto_augment(pixels, draws) if options.auto_augment else pixels


@functools.cache
def _crop_function(min_area: float) -> Callable[..., tf.Tensor]:
    """`_crop` as a function of its tensors, which is traced once and not for each image."""
    return tf.function(
        functools.partial(_crop, min_area),
        input_signature=[_FILE, tf.TensorSpec([], tf.bool), _SEED, _SIDE],
        autograph=False,
        # Inlined, it would be prepared anew for each image: 2 s more for a group of 32.
        experimental_attributes={"_noinline": True},
    )


def _crop(
    min_area: float, encoded: tf.Tensor, is_plain: tf.Tensor, seed: tf.Tensor, size_px: tf.Tensor
) -> tf.Tensor:
    """A window of one image, uint8 [h, w, 3]; `is_plain`: a JPEG that EXIF does not turn."""
    if min_area == 1.0:
        return eval_image.eval_image(encoded, size_px)

    def window(shape: tf.Tensor) -> tf.Tensor:  # [top, left, height, width]
        begin, size, _ = tf.image.stateless_sample_distorted_bounding_box(
            shape,
            bounding_boxes=tf.zeros([1, 0, 4]),
            seed=seed,
            min_object_covered=0.0,
            aspect_ratio_range=ASPECT_RATIOS,
            area_range=(min_area, 1.0),
            use_image_if_no_bounding_boxes=True,
        )
        return tf.concat([begin[:2], size[:2]], axis=0)

    def jpeg() -> tf.Tensor:
        return _decode_window(encoded, window(tf.io.extract_jpeg_shape(encoded)), size_px)

    def other() -> tf.Tensor:
        image = eval_image.decode(encoded)
        top, left, height, width = tf.unstack(window(tf.shape(image)))
        return image[top : top + height, left : left + width]

    @file_bytes.rarely(input_signature=[])
    def looked_at_closely() -> tf.Tensor:
        # A picture that EXIF turns is decoded whole, which costs more than the blocks of a window.
        is_upright = tf.cond(
            tf.io.is_jpeg(encoded),
            lambda: tf.equal(orientation.of_jpeg(encoded), orientation.UPRIGHT),
            lambda: False,
        )
        return tf.cond(is_upright, jpeg, other)

    return tf.cond(is_plain, jpeg, looked_at_closely)


def _decode_window(encoded: tf.Tensor, window: tf.Tensor, size_px: tf.Tensor) -> tf.Tensor:
    """Decodes the blocks inside a window of a JPEG, at the smallest scale that has enough pixels.

    Args:
      encoded: string [], a JPEG file.
      window: int32 [4], top, left, height and width in the whole picture, pixels.
      size_px: int32 [], side of the picture that it will become.

    Returns:
      uint8 [height / scale, width / scale, 3], with a scale of 1, 2, 4 or 8: both sides are
      `size_px` or more, unless those of the window are not.
    """

    def at(scale: int) -> tf.Tensor:
        return tf.io.decode_and_crop_jpeg(
            encoded,
            window // scale,
            channels=features.CHANNELS,
            ratio=scale,
            # A twelfth of the time for colours between pixels, far finer than any augmentation.
            fancy_upscaling=False,
        )

    spare = tf.reduce_min(window[2:]) // size_px
    chosen = sum(tf.cast(spare >= scale, tf.int32) for scale in JPEG_SCALES[1:])
    return tf.switch_case(chosen, [lambda scale=scale: at(scale) for scale in JPEG_SCALES])
