"""Small real artifacts that several tests share."""

import hashlib
import io
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from browser import chromium, open_page
from digits_records import digits_dir, make_tiny
from kubernetes_server import api_server
from PIL import Image
from store_servers import mariadb, mlmd_service, postgresql
from trainings import trained, undisturbed

from preprocessing import lean_import

pytest_plugins = ["deadlines"]
lean_import.install()  # as all our programs do
# Fixtures of another file that all tests may use.
__all__ = [
    "api_server",
    "chromium",
    "digits_dir",
    "make_tiny",
    "mariadb",
    "mlmd_service",
    "open_page",
    "postgresql",
    "trained",
    "undisturbed",
]

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# A shell lets what it starts in the background ignore Ctrl-C, and all that this starts as well.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is no fault of the code; every test has a deadline anyway.
hypothesis.settings.register_profile(
    "suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("suite")

# What takes longest starts first: workers, which take files in this order, then end together.
LONGEST_FIRST = (
    "tests/e2e/",
    "tests/trainer_module/job/test_supervisor.py",
    "tests/trainer_module/test_training.py",
    "tests/kubeflow/test_mpijob.py",
    "tests/components/test_horovod_trainer.py",
    "tests/trainer_module/test_distributed.py",
    "tests/kubeflow/test_mpijob.py",
    "tests/preprocessing/test_command.py",
    "tests/pipeline/test_data_checks.py",
    "tests/lineage/exports/test_mlflow.py",
    "tests/components/test_serving_validator.py",
    "tests/trainer_module/test_train_step.py",
    "tests/trainer_module/data/test_input_pipeline.py",
    "tests/preprocessing/stage/",
    "tests/components/",
    "tests/pipeline/",
    "tests/trainer_module/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        starts = [item.nodeid.startswith(prefix) for prefix in LONGEST_FIRST]
        return starts.index(True) if True in starts else len(starts)

    items.sort(key=rank)


def png(color: tuple[int, int, int], side_px: int = 8) -> bytes:
    """A PNG file of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", (side_px, side_px), color).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def pictures() -> list[bytes]:
    """40 different PNG files."""
    return [png((6 * i, 255 - 6 * i, (37 * i) % 256)) for i in range(40)]


@pytest.fixture(scope="session")
def write_model() -> Callable[[Path, Mapping[bytes, Sequence[float]], Sequence[str]], Path]:
    """Writes a SavedModel with the signatures of the contract that knows its pictures by heart."""

    def write(folder: Path, answers: Mapping[bytes, Sequence[float]], classes: Sequence[str]):
        import tensorflow as tf

        known = tf.constant(list(answers))
        rows = np.array([*answers.values(), [np.nan] * len(classes)], np.float32)
        top_k = min(5, len(classes))

        def predict(image_bytes):
            equal = tf.equal(image_bytes[:, tf.newaxis], known[tf.newaxis, :])  # [B, N]
            unknown = tf.fill([tf.shape(equal)[0], 1], True)
            row = tf.argmax(tf.cast(tf.concat([equal, unknown], 1), tf.int32), axis=1)
            probabilities = tf.gather(tf.constant(rows), row)  # [B, C]
            values, indices = tf.math.top_k(probabilities, top_k)
            labels = tf.gather(tf.constant(list(classes)), indices)
            bad = tf.math.is_nan(probabilities[:, 0])
            return {
                "label": tf.where(bad, "", labels[:, 0]),
                "probabilities": probabilities,
                "top_k_labels": labels,
                "top_k_probabilities": values,
            }

        def parse(examples, key):
            features = {key: tf.io.FixedLenFeature([], tf.string)}
            return tf.io.parse_example(examples, features)[key]

        strings = [tf.TensorSpec([None], tf.string)]

        @tf.function(input_signature=strings)
        def serving_default(image_bytes):
            return predict(image_bytes)

        @tf.function(input_signature=strings)
        def serving_examples(examples):
            return predict(parse(examples, "image/encoded"))

        @tf.function(input_signature=strings)
        def eval_labels(examples):
            equal = tf.equal(
                parse(examples, "image/class/text")[:, tf.newaxis],
                tf.constant(list(classes))[tf.newaxis, :],
            )
            found = tf.reduce_any(equal, axis=1)
            index = tf.argmax(tf.cast(equal, tf.int32), axis=1)
            return {"label_index": tf.where(found, index, tf.constant(-1, tf.int64))}

        module = tf.Module()
        signatures = {
            "serving_default": serving_default,
            "serving_examples": serving_examples,
            "eval_labels": eval_labels,
        }
        module.signature_functions = list(signatures.values())
        tf.saved_model.save(module, str(folder), signatures)
        extra = folder / "assets.extra"
        extra.mkdir()
        (extra / "labels.txt").write_text("\n".join(classes) + "\n", encoding="utf-8")
        return folder

    return write


@pytest.fixture(scope="session")
def write_records() -> Callable[..., Path]:
    """Writes records of (image bytes, class name, more features) as one TFRecord shard."""

    def write(path: Path, rows: Sequence[tuple[bytes, str]], **floats: Sequence[Sequence[float]]):
        import tensorflow as tf

        path.parent.mkdir(parents=True, exist_ok=True)
        with tf.io.TFRecordWriter(str(path)) as writer:
            for i, (image, name) in enumerate(rows):
                feature = {
                    "image/encoded": _bytes(image),
                    "image/class/text": _bytes(name.encode()),
                    "image/sha256": _bytes(hashlib.sha256(image).hexdigest().encode()),
                }
                for key, values in floats.items():
                    feature[key] = tf.train.Feature(float_list=tf.train.FloatList(value=values[i]))
                example = tf.train.Example(features=tf.train.Features(feature=feature))
                writer.write(example.SerializeToString())
        return path

    return write


def _bytes(value: bytes):
    import tensorflow as tf

    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


@pytest.fixture(scope="session")
def right_answers() -> Callable[..., dict[bytes, list[float]]]:
    """Probabilities by picture: 0.9 on class i % C, on the next class for the first `wrong`."""

    def answers(pictures: Sequence[bytes], num_classes: int, wrong: int = 0):
        rest = 0.1 / (num_classes - 1)
        rows = {}
        for i, picture in enumerate(pictures):
            row = [rest] * num_classes
            row[(i + (i < wrong)) % num_classes] = 0.9
            rows[picture] = row
        return rows

    return answers


@pytest.fixture
def artifact() -> Callable:
    """Makes an artifact of a type with a URI; its folder is made."""

    def make(cls, uri: Path, **properties):
        uri.mkdir(parents=True, exist_ok=True)
        result = cls()
        result.uri = str(uri)
        for key, value in properties.items():
            setattr(result, key, value)
        return result

    return make
