"""What the page of a run shows of copies with different labels, made of real source records."""

import base64
import io
import re

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from ml_metadata.proto import metadata_store_pb2
from PIL import Image

from pipeline.config import DataConfig, EvaluationConfig, PipelineConfig
from pipeline.node_result import NodeResult
from pipeline.report import label_conflicts, page, pictures, summary
from preprocessing.errors import UnusableCorpusError
from preprocessing.ingest import ingest
from preprocessing.stage import duplicates
from preprocessing.stage.options import PictureOptions

OPTIONS = PictureOptions()
NUM_CONFLICTS = label_conflicts.MAX_PICTURES + 6


def color(number: int) -> tuple[int, int, int]:
    return 8 * number, 255 - 8 * number, 80


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Pictures of one colour each, most of which stand under two labels."""
    folder = tmp_path_factory.mktemp("corpus")
    for name in ("ant", "<b>bee</b>"):
        (folder / name.replace("/", "\N{DIVISION SLASH}")).mkdir()
    ant, bee = sorted(folder.iterdir(), reverse=True)
    for number in range(NUM_CONFLICTS):
        for path in (ant / f"{number:02d}.png", bee / f"also {number:02d}.png"):
            Image.new("RGB", (200, 100), color(number)).save(path)
    for number in range(8):
        Image.new("RGB", (9, 9), (number, 0, 0)).save(bee / f"alone {number}.png")
    return folder


@pytest.fixture(scope="module")
def source(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("source") / "examples"
    options = ["--direct_running_mode=in_memory", "--direct_num_workers=1"]
    ingest.ingest(
        str(corpus),
        str(folder),
        make_pipeline=lambda: beam.Pipeline(options=PipelineOptions(options)),
        eval_fraction=0.3,
        seed=0,
    )
    return folder


@pytest.fixture
def lists(source, tmp_path):
    folder = tmp_path / "quarantine"
    duplicates.plan(str(source), str(tmp_path), "keep", str(folder))
    return folder


def decoded(uri: str) -> Image.Image:
    data = base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"), validate=True)
    assert len(data) <= pictures.MAX_THUMBNAIL_BYTES
    return Image.open(io.BytesIO(data))


def test_pictures_are_those_of_the_files_that_are_named(lists, source):
    shown = label_conflicts.view(lists, source, OPTIONS)
    assert len(shown) == label_conflicts.MAX_PICTURES
    for picture in shown:
        first, second = picture["copies"]
        assert first["class"] != second["class"]
        number = int(re.search(r"(\d+)\.png$", first["uri"]).group(1))
        assert second["uri"].endswith(f"{number:02d}.png")
        image = decoded(picture["image"])
        assert image.size == (96, 48)
        difference = np.subtract(image.getpixel((40, 20)), color(number))
        assert np.abs(difference).max() <= 4  # JPEG
        assert picture["hidden"] == 0


def test_labels_come_before_further_copies_of_one_label(tmp_path):
    copies = [("a1", "ant"), ("a2", "ant"), ("a3", "ant"), ("a4", "ant"), ("b1", "bee")]
    lines = [
        f'{{"sha256": "00", "uri": "{uri}", "class": "{name}", "different_labels": true}}\n'
        for uri, name in copies
    ]
    (tmp_path / "duplicates.jsonl").write_text("".join(lines))
    [picture] = label_conflicts.view(tmp_path, None, OPTIONS)
    assert [copy["uri"] for copy in picture["copies"]] == ["a1", "b1", "a2", "a3"]
    assert (picture["hidden"], picture["image"]) == (1, "")


def test_records_that_are_gone_or_damaged_cost_the_picture_only(lists, source, tmp_path):
    whole = label_conflicts.view(lists, source, OPTIONS)
    (damaged := tmp_path / "damaged").mkdir()
    for path in source.glob("Split-*/*"):
        (damaged / path.parent.name).mkdir(exist_ok=True)
        (damaged / path.parent.name / path.name).write_bytes(path.read_bytes()[:40])
    for folder in (tmp_path / "gone", damaged):
        without = label_conflicts.view(lists, folder, OPTIONS)
        assert [picture["copies"] for picture in without] == [p["copies"] for p in whole]
        assert {picture["image"] for picture in without} == {""}


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe0 no more"])
def test_what_is_no_picture_has_no_thumbnail(data):
    assert pictures.thumbnail(data, OPTIONS) == ""


@pytest.mark.parametrize(
    ("size", "mode", "file_format"),
    [((300, 400), "RGB", "PNG"), ((5, 2000), "L", "PNG"), ((96, 96), "CMYK", "JPEG"),
     ((1, 1), "RGBA", "PNG")],
)  # fmt: skip
def test_thumbnails_are_small(size, mode, file_format):
    shape = (size[1], size[0], len(mode)) if len(mode) > 1 else size[::-1]
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise, mode).save(buffer, file_format)
    image = decoded(pictures.thumbnail(buffer.getvalue(), OPTIONS))
    assert max(image.size) == min(max(size), 96)


def test_picture_above_the_pixel_limit_is_not_decoded():
    buffer = io.BytesIO()
    Image.new("1", (200, 100)).save(buffer, "PNG")
    at_limit, below = PictureOptions(max_pixels=20_000), PictureOptions(max_pixels=19_999)
    assert decoded(pictures.thumbnail(buffer.getvalue(), at_limit)).size == (96, 48)
    assert pictures.thumbnail(buffer.getvalue(), below) == ""


def test_what_is_transparent_shows_the_background():
    buffer = io.BytesIO()
    Image.new("RGBA", (9, 9), (0, 0, 0, 0)).save(buffer, "PNG")
    options = PictureOptions(background="blue")
    pixel = decoded(pictures.thumbnail(buffer.getvalue(), options)).getpixel((4, 4))
    assert np.abs(np.subtract(pixel, (0, 0, 255))).max() <= 4  # JPEG


def test_page_of_a_stopped_run_shows_them_and_the_counts(lists, source, tmp_path):
    counts = duplicates.plan(str(source), str(tmp_path), "fail", str(tmp_path / "2")).as_json()
    stop = UnusableCorpusError("no image may be there twice", counts, str(lists))
    results = [
        NodeResult("ImageExampleGen", "ran", 1.0, {
            "examples": metadata_store_pb2.Artifact(uri=str(source))}),
        NodeResult("ImagePreprocessor", "failed", 1.0),
    ]  # fmt: skip
    page_file = tmp_path / "index.html"
    try:
        raise RuntimeError("the launcher failed") from stop
    except RuntimeError as error:
        made = summary.summarize("r1", results, page_file, "ImagePreprocessor failed: ...", error)
    assert made["images"] == {
        "seen": 2 * NUM_CONFLICTS + 8,
        "used": None,
        "quarantined": None,
        "duplicates": NUM_CONFLICTS,
    }
    found = made["label_conflicts"]
    assert (found["files"], found["pictures"]) == (2 * NUM_CONFLICTS, NUM_CONFLICTS)
    assert len(found["pairs"]) == 3
    assert (found["left_out"], found["to_leave_out"]) == (False, "data.on_duplicate=drop")
    assert made["copies"][0].startswith(f"{2 * NUM_CONFLICTS} files have a copy with another label")
    config = PipelineConfig(data=DataConfig(path="x"), evaluation=EvaluationConfig(min_top_1=0.5))
    page.write(page_file, config, made, results)
    text = page_file.read_text()
    pictures = re.findall(r'<img src="(data:image/jpeg;base64,[^"]*)"', text)
    assert len(pictures) == label_conflicts.MAX_PICTURES
    assert all(map(decoded, pictures))
    assert "and 6 more pictures in duplicates.jsonl" in text
    assert "--set data.on_duplicate=drop" in text
    assert "&lt;b&gt;bee" in text
    assert "<b>bee" not in text
    # Nothing is loaded from elsewhere.
    assert {uri[:5] for uri in re.findall(r'src="([^"]*)"', text)} == {"data:"}
    [section] = re.findall(r'<section id="copies".*?</section>', text, re.DOTALL)
    assert section.count("<img") == len(pictures)
    assert len(section) < 400_000
