"""`effnet predict` uses the pictures that the preprocessing uses, and refuses what it refuses."""

from pathlib import Path

import bmp_files
import numpy as np
import odd_files
import pytest
import tiny_export
from effnet import effnet
from picture_files import FORMATS, RGB, RGBA, picture_file
from PIL import Image

from pipeline.commands import evaluate
from pipeline.inference import labelled_images
from pipeline.inference.classifier import Classifier
from preprocessing.images import image_ops

OTHERS = {
    "webp": odd_files.saved(RGBA, "WEBP", lossless=True),
    "tiff": odd_files.saved(RGB, "TIFF", compression="tiff_lzw"),
    "tiff of 16 bits": odd_files.saved(Image.fromarray(np.arange(2400, dtype=np.uint16)
        .reshape(40, 60) * 27), "TIFF"),
    "avif": odd_files.saved(RGB, "AVIF"),
}  # fmt: skip
USED = (
    {f"usual, {name}": picture_file(name) for name in FORMATS}
    | {f"odd, {name}": data for name, data in odd_files.ODD.items()}
    | {f"bmp, {name}": data for name, data in bmp_files.BMPS.items()}
    | OTHERS
)


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory) -> Path:
    return tiny_export.write(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="module")
def tiny(tiny_model) -> Classifier:
    return Classifier.load(tiny_model)


def written(folder: Path, files: dict[str, bytes]) -> list[str]:
    paths = [folder / f"{number:03d}" for number in range(len(files))]
    for path, data in zip(paths, files.values(), strict=True):
        path.write_bytes(data)
    return [str(path) for path in paths]


def test_each_picture_that_the_preprocessing_uses_is_answered_as_its_pixels(tiny, tmp_path):
    predictions = tiny.predict(written(tmp_path, USED), len(tiny_export.CLASSES))
    pixels = []
    for data in USED.values():
        limits = {"max_side_px": 10_000, "jpeg_quality": 95, **tiny.options}
        pixels.append(odd_files.saved(image_ops.normalise_with_pixels(data, **limits)[1], "PNG"))
    expected = tiny.classify(pixels, len(tiny_export.CLASSES))
    for name, prediction, answer in zip(USED, predictions, expected, strict=True):
        assert prediction.error is None, name
        assert dict(prediction.top_k) == pytest.approx(dict(answer), abs=0.01), name


def test_each_file_that_the_preprocessing_refuses_is_named_and_the_others_answered(
    tiny_model, tiny, tmp_path
):
    files = dict(odd_files.BROKEN) | {"good": picture_file("jpeg")}
    predictions = tiny.predict(written(tmp_path, files), 1)
    for name, prediction in zip(files, predictions, strict=True):
        if name == "good":
            assert prediction.error is None
        else:
            assert prediction.error.startswith("cannot be decoded: damaged or truncated: "), name
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(odd_files.JPEG[: len(odd_files.JPEG) // 2] + b"\xff\xd9")
    done = effnet("predict", tiny_model, cut, predictions[-1].file, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    damaged, good = done.stdout.splitlines()
    assert "cut.jpg  cannot be decoded: damaged or truncated: " in damaged
    assert "cannot" not in good


def test_an_evaluation_leaves_out_what_a_training_would(tiny, tmp_path):
    (tmp_path / "data" / "ant").mkdir(parents=True)
    written(tmp_path / "data" / "ant", dict(odd_files.BROKEN) | {"good": picture_file("jpeg")})
    result = evaluate.measure(tiny, labelled_images.read(str(tmp_path / "data")), batch_size=4)
    assert (result.images, result.unreadable) == (1, len(odd_files.BROKEN))
