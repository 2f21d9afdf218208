"""Fixtures: real records, and a training that is small enough for a test.

TensorFlow is imported where it is used, as tests that need none of this load the file as well.
"""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import shared_folder
from PIL import Image

from preprocessing import features
from trainer_module.config import TrainConfig

TRAIN_EXAMPLES, EVAL_EXAMPLES = 150, 50


def example(image: np.ndarray, label: int, image_format: str = "PNG") -> bytes:
    """A serialized record of a grey or RGB image."""
    import tensorflow as tf

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, image_format)
    encoded = buffer.getvalue()

    def of_bytes(value: bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    feature = {
        features.ENCODED: of_bytes(encoded),
        features.CLASS_TEXT: of_bytes(str(label).encode()),
        features.SHA256: of_bytes(hashlib.sha256(encoded).hexdigest().encode()),
        features.LABEL: tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def write_records(path: Path, records: list[bytes]) -> None:
    """Writes a TFRecord file."""
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


@pytest.fixture(scope="session")
def digits_dir(tmp_path_factory) -> Path:
    """Handwritten digits: three training shards and one evaluation shard, with class names."""
    return shared_folder.make_once(tmp_path_factory, "digits", _write_digits)


def _write_digits(folder: Path) -> None:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = (digits.images * 255 / 16).round().astype(np.uint8)
    records = [
        example(image, int(label)) for image, label in zip(images, digits.target, strict=True)
    ]
    train, rest = records[:TRAIN_EXAMPLES], records[TRAIN_EXAMPLES:]
    for shard in range(3):
        write_records(folder / features.shard_name("train", shard, 3), train[shard::3])
    write_records(folder / features.shard_name("eval", 0, 1), rest[:EVAL_EXAMPLES])
    (folder / features.CLASS_NAMES_FILE).write_text("".join(f"{n}\n" for n in range(10)))


@pytest.fixture(scope="session")
def make_tiny(digits_dir) -> Callable[[Path], TrainConfig]:
    """Trainings of seconds: a tiny network, two stages, every part switched on."""

    def make(model_dir: Path) -> TrainConfig:
        return TrainConfig(
            data_dir=str(digits_dir),
            model_dir=str(model_dir),
            width_coefficient=0.1,
            depth_coefficient=0.1,
            n_stages=2,
            base_img_size=16,
            img_size=24,
            eval_img_size=24,
            max_epochs=4,
            train_batch_size=16,
            lr_warmup_epochs=1,
            optimizer="adamw",
            lr_init=0.01,
            opt_epsilon=1e-7,
            decay=0.999,
            bn_momentum=0.9,
            moving_average_decay=0.9,
            eval_freq=2,
            save_checkpoint_freq=2,
            base_mixup=0.1,
            cutmix_alpha=0.2,
            raug_magnitude=8.0,
            log_interval_secs=0.05,
        )

    return make
