"""Near-duplicates across the splits, of real pictures stored and scaled in other ways."""

import io
import json
from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from PIL import Image
from sklearn.datasets import load_sample_images

from preprocessing import features
from preprocessing.ingest import ingest
from preprocessing.stage import beam_stage, fingerprints, near_duplicates
from preprocessing.stage.options import StageOptions

NUM_PICTURES = 30


def pictures() -> list[Image.Image]:
    """Different parts of two photographs."""
    generator = np.random.default_rng(0)
    found = []
    for number in range(NUM_PICTURES):
        photograph = Image.fromarray(load_sample_images().images[number % 2])
        left, top = (int(generator.integers(0, side - 160)) for side in photograph.size)
        found.append(photograph.crop((left, top, left + 160, top + 120)))
    return found


def changed(picture: Image.Image, way: int) -> tuple[bytes, str]:
    """The same picture as another file."""
    buffer = io.BytesIO()
    if way == 0:
        picture.save(buffer, "JPEG", quality=60)
    elif way == 1:
        picture.resize((131, 99), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=85)
    else:
        picture.resize((320, 240), Image.Resampling.LANCZOS).save(buffer, "WEBP", quality=80)
    return buffer.getvalue(), ("jpg", "jpg", "webp")[way]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """All pictures in train; every third again in val, otherwise stored, and other pictures."""
    folder = tmp_path_factory.mktemp("corpus")
    for split in ("train", "val"):
        for name in ("china", "flower"):
            (folder / split / name).mkdir(parents=True)
    for number, picture in enumerate(pictures()):
        name = ("china", "flower")[number % 2]
        picture.save(folder / "train" / name / f"{number}.png")
        if number % 3 == 0:
            data, ending = changed(picture, number // 3 % 3)
            (folder / "val" / name / f"{number}.{ending}").write_bytes(data)
        else:
            other = picture.transpose(Image.Transpose.ROTATE_90)
            other.save(folder / "val" / name / f"other-{number}.png")
    # A copy of the same bytes is none of them.
    (folder / "val" / "china" / "copy.png").write_bytes(
        (folder / "train" / "china" / "0.png").read_bytes()
    )
    return folder


def preprocess(corpus: Path, folder: Path, workers: int = 1) -> list[dict]:
    def make_pipeline():
        mode = "in_memory" if workers == 1 else "multi_threading"
        options = [f"--direct_running_mode={mode}", f"--direct_num_workers={workers}"]
        return beam.Pipeline(options=PipelineOptions(options))

    source = str(folder / "source")
    ingest.ingest(str(corpus), source, make_pipeline=make_pipeline, eval_fraction=0.5, seed=0)
    beam_stage.preprocess(
        source,
        str(folder / "dataset"),
        str(folder / "lists"),
        class_names=["china", "flower"],
        options=StageOptions(max_side_px=64),
        make_pipeline=make_pipeline,
    )
    assert not (folder / "dataset" / "scratch").exists()
    lines = (folder / "lists" / features.NEAR_DUPLICATES_FILE).read_text().splitlines()
    return [json.loads(line) for line in lines]


def number(uri: str) -> str:
    return Path(uri).stem


def test_all_of_them_and_no_others_are_found(corpus, tmp_path):
    found = preprocess(corpus, tmp_path)
    expected = {str(n) for n in range(0, NUM_PICTURES, 3)} - {"0"}
    pairs = {number(pair["eval"]["uri"]): number(pair["train"]["uri"]) for pair in found}
    # Image 0 is there as a JPEG and as a copy of the bytes, and only the JPEG counts.
    assert pairs == {name: name for name in expected | {"0"}}
    for pair in found:
        assert pair["eval"]["sha256"] != pair["train"]["sha256"]
        assert "/val/" in pair["eval"]["uri"]
        assert "/train/" in pair["train"]["uri"]
        assert pair["eval"]["class"] == ("china", "flower")[int(number(pair["eval"]["uri"])) % 2]
        assert 0 < pair["difference"] < 10
    assert [pair["eval"]["uri"] for pair in found] == sorted(p["eval"]["uri"] for p in found)


def test_workers_change_nothing(corpus, tmp_path):
    assert preprocess(corpus, tmp_path / "1") == preprocess(corpus, tmp_path / "3", workers=3)


def thumbnails(images: np.ndarray) -> near_duplicates.Thumbnails:
    return near_duplicates.Thumbnails(images.reshape(len(images), -1), (), ())


def smooth(count: int, seed: int) -> np.ndarray:
    """Random pictures of 4 x 4 areas: uint8 [count, 12, 12, 3]."""
    areas = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3), np.uint8)
    return areas.repeat(3, axis=1).repeat(3, axis=2)


@pytest.mark.parametrize("block", [near_duplicates.BLOCK, 700])
def test_nearly_all_are_found_among_many_in_blocks_of_any_size(block, monkeypatch):
    monkeypatch.setattr(near_duplicates, "BLOCK", block)
    train, evaluated = smooth(20_000, 0), smooth(1_500, 1)
    noise = np.random.default_rng(2).integers(-6, 7, (500, 12, 12, 3))
    evaluated[:500] = np.clip(train[:500] + noise, 0, 255)
    best = near_duplicates.best_matches(thumbnails(evaluated), thumbnails(train))
    assert set(best) <= set(range(500))
    assert all(number == match for number, (match, _) in best.items())
    assert len(best) > 0.98 * 500


def test_many_images_that_look_alike_cost_no_more():
    plain = np.full((30_000, 12, 12, 3), 255, np.uint8)
    best = near_duplicates.best_matches(thumbnails(plain[:2_000]), thumbnails(plain))
    assert len(best) == 2_000
    assert {difference for _, difference in best.values()} == {0.0}


def test_plain_colours_are_alike_only_where_the_colour_is():
    colors = np.zeros((20, 12, 12, 3), np.uint8)
    colors[..., 1] = 10 * np.arange(20)[:, None, None] + 60
    colors[..., 2] = 200
    best = near_duplicates.best_matches(thumbnails(colors[:10]), thumbnails(colors[5:]))
    assert {number: match for number, (match, _) in best.items()} == {
        n: n - 5 for n in range(5, 10)
    }


def test_hashes_ignore_brightness_and_are_exact():
    images = np.random.default_rng(0).integers(20, 200, (50, fingerprints.NUM_BYTES), np.uint8)
    found = near_duplicates.hashes(images)
    assert (near_duplicates.hashes(images + np.uint8(40)) == found).all()
    sums = images.astype(np.int64) @ near_duplicates.PLANES.astype(np.int64)
    assert (np.packbits(sums > 0, axis=1).view(np.uint64)[:, 0] == found).all()


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size", [(160, 120), (131, 99), (60, 60), (257, 300)])
def test_thumbnail_hardly_depends_on_the_size(mode, size):
    def values(picture):
        found = np.frombuffer(fingerprints.thumbnail(picture), np.uint8).astype(np.float32)
        assert found.shape == (fingerprints.NUM_BYTES,)
        return found

    picture = pictures()[0].convert(mode).resize((64, 64))
    scaled = values(picture.resize(size, Image.Resampling.BICUBIC))
    whole = values(picture)
    assert np.sqrt(((scaled - whole) ** 2).mean()) < 0.05 * whole.std()
    # The parts of the picture are where they are.
    means = np.asarray(picture.convert("RGB").resize((12, 12), Image.Resampling.BILINEAR))
    assert np.abs(whole - means.ravel()).mean() < 0.1 * whole.std()
