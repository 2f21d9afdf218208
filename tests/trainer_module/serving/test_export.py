"""The exported model: its signatures, its files, and raw picture files of every format."""

import hashlib
import io
import json
import subprocess
import sys
import zlib

import numpy as np
import pytest
import tensorflow as tf
import tiny_export
from nasty_corpus import png_file
from picture_files import FORMATS, picture_file
from PIL import Image
from tiny_export import BACKGROUND, CLASSES, MAX_PIXELS, SIZE_PX

from trainer_module.data import eval_image


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return tiny_export.write(tmp_path_factory.mktemp("model") / "export")


@pytest.fixture(scope="module")
def signatures(exported):
    return tf.saved_model.load(str(exported)).signatures


def infer(pixels: np.ndarray):
    """What the training path says: probabilities and embeddings."""
    tensors = {name: tf.constant(value) for name, value in tiny_export.folded().items()}
    logits, pooled = tiny_export.network().infer(tensors, tf.constant(pixels))
    return tf.nn.softmax(logits).numpy(), pooled.numpy()


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_raw_file_gets_the_answer_of_the_training_path(name, signatures):
    encoded = picture_file(name)
    options = eval_image.FileOptions(BACKGROUND, gray16="stretch")
    eager = eval_image.eval_image(tf.constant(encoded), SIZE_PX, options).numpy()
    probabilities, pooled = infer(eager[None])
    answer = signatures["serving_default"](tf.constant([encoded]))
    np.testing.assert_allclose(answer["probabilities"], probabilities, atol=1e-5)
    embedded = signatures["embedding"](tf.constant([encoded]))["embedding"]
    np.testing.assert_allclose(embedded, pooled, atol=1e-4)


def test_every_signature_takes_an_empty_batch(signatures):
    nothing = tf.zeros([0], tf.string)
    answer = signatures["serving_default"](nothing)
    assert answer["probabilities"].shape == (0, len(CLASSES))
    assert answer["top_k_labels"].shape == (0, 5)
    assert answer["label"].shape == (0,)
    assert signatures["embedding"](nothing)["embedding"].shape == (0, 128)
    assert signatures["serving_examples"](nothing)["probabilities"].shape == (0, len(CLASSES))
    assert signatures["eval_labels"](nothing)["label_index"].shape == (0,)


def large(file_format: str, side_px: int) -> bytes:
    """A small file of a large picture of one colour."""
    if file_format == "PNG":
        row = bytes(1 + (side_px + 7) // 8)
        return png_file(side_px, side_px, 1, 0, zlib.compress(row * side_px))
    buffer = io.BytesIO()
    Image.new("L", (side_px, side_px)).save(buffer, file_format)
    return buffer.getvalue()


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "GIF", "BMP"])
def test_a_picture_with_too_many_pixels_is_not_decoded(signatures, file_format):
    side = int(MAX_PIXELS**0.5)
    batch = tf.constant([large(file_format, side), large(file_format, side + 1)])
    answer = signatures["serving_default"](batch)["probabilities"].numpy()
    assert np.isnan(answer).all(axis=1).tolist() == [False, True]


def test_rows_that_cannot_be_decoded_spare_the_others(signatures):
    good = picture_file("png rgb")
    batch = tf.constant([b"", good, b"no picture", good[: len(good) // 2], picture_file("webp")])
    answer = signatures["serving_default"](batch)
    bad = np.isnan(answer["probabilities"].numpy()).all(axis=1)
    assert bad[:4].tolist() == [True, False, True, True]
    assert [bool(label) for label in answer["label"].numpy()] == (~bad).tolist()
    assert (answer["top_k_labels"].numpy()[bad] == b"").all()
    assert np.isnan(answer["top_k_probabilities"].numpy()).all(axis=1).tolist() == bad.tolist()
    embedded = signatures["embedding"](batch)["embedding"].numpy()
    assert np.isnan(embedded).all(axis=1).tolist() == bad.tolist()
    alone = signatures["serving_default"](tf.constant([good]))
    np.testing.assert_allclose(answer["probabilities"][1], alone["probabilities"][0], atol=1e-6)


def test_top_k_are_the_likeliest_classes_in_order(signatures):
    answer = signatures["serving_default"](tf.constant([picture_file("jpeg")]))
    row = answer["probabilities"].numpy()[0]
    order = np.argsort(-row)[:5]
    assert [name.decode() for name in answer["top_k_labels"].numpy()[0]] == [
        CLASSES[index] for index in order
    ]
    np.testing.assert_array_equal(answer["top_k_probabilities"].numpy()[0], row[order])


def test_files_beside_the_graph_describe_it_and_have_checksums(exported):
    extra = exported / "assets.extra"
    described = json.loads((extra / "model.json").read_text(encoding="utf-8"))
    assert tuple(described["class_names"]) == CLASSES
    assert described["image_size_px"] == SIZE_PX
    assert described["embedding_size"] == 128
    assert described["preprocessing"]["background"] == list(BACKGROUND)
    assert (extra / "labels.txt").read_text(encoding="utf-8").splitlines() == list(CLASSES)
    lines = (extra / "sha256sums.txt").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    files = {p.relative_to(exported).as_posix() for p in exported.rglob("*") if p.is_file()}
    assert set(sums) == files - {"assets.extra/sha256sums.txt"}
    for name, digest in sums.items():
        assert hashlib.sha256((exported / name).read_bytes()).hexdigest() == digest


def test_loads_with_nothing_but_tensorflow(exported, tmp_path):
    (tmp_path / "picture").write_bytes(picture_file("jpeg exif 6"))
    program = (
        "import sys, tensorflow as tf\n"
        "serve = tf.saved_model.load(sys.argv[1]).signatures['serving_default']\n"
        "print(serve(tf.constant([open(sys.argv[2], 'rb').read()]))['label'].numpy()[0].decode())\n"
        "assert not any(n.startswith(('trainer_module', 'preprocessing')) for n in sys.modules)"
    )
    # Isolated: neither this folder nor the environment's variables add anything.
    command = [sys.executable, "-I", "-c", program, str(exported), str(tmp_path / "picture")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() in CLASSES
