"""Different photographs, from the two that scikit-learn brings, and records of them."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image, ImageEnhance
from sklearn.datasets import load_sample_images

from preprocessing import features
from preprocessing.files.records import make_record
from preprocessing.images import image_ops

SIZE_PX = (500, 375)  # width, height: what most of ImageNet's photographs have
# With it, the files have about 75 kB.
JPEG_QUALITY = 95
CLASSES = 1000


def write_photographs(folder: Path, count: int) -> list[Path]:
    """Writes `count` JPEG files: crops of two photographs, mirrored, in changed colours."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = [Image.fromarray(image) for image in load_sample_images().images]
    generator = np.random.default_rng(0)
    paths = []
    for number in range(count):
        source = sources[number % len(sources)]
        share = generator.uniform(0.6, 1.0)
        width, height = (int(side * share) for side in source.size)
        left = generator.integers(0, source.width - width + 1)
        top = generator.integers(0, source.height - height + 1)
        image = source.resize(
            SIZE_PX, Image.Resampling.BICUBIC, (left, top, left + width, top + height)
        )
        if generator.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        for enhance in (ImageEnhance.Color, ImageEnhance.Brightness, ImageEnhance.Contrast):
            image = enhance(image).enhance(generator.uniform(0.7, 1.3))
        path = folder / f"{number:05d}.jpg"
        image.save(path, "JPEG", quality=JPEG_QUALITY)
        paths.append(path)
    return paths


def write_records(folder: Path, photographs: list[Path], max_side_px: int) -> None:
    """Writes the records that our preprocessing makes of photographs: splits train and eval."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, paths in (
        (features.TRAIN_SPLIT, photographs),
        (features.EVAL_SPLIT, photographs[:64]),
    ):
        name = str(folder / features.shard_name(split, 0, 1))
        with tf.io.TFRecordWriter(name) as writer:
            for number, path in enumerate(paths):
                image = image_ops.normalise(
                    path.read_bytes(), max_side_px=max_side_px, jpeg_quality=95, max_pixels=10**8
                )
                values = {features.ENCODED: image.data, features.LABEL: number % CLASSES}
                writer.write(make_record(values))
