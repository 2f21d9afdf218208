"""What stands beside the shards: statistics, class frequencies, the manifest."""

import hashlib
import io
import json

import hypothesis
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import strategies as st
from nasty_corpus import CLASS_NAMES, REASONS, VANISHING, with_a_vanishing_file
from PIL import Image

from preprocessing import features
from preprocessing.files import records
from preprocessing.images import image_ops
from preprocessing.ingest import ingest
from preprocessing.stage import beam_stage, dataset_manifest
from preprocessing.stage.options import StageOptions
from preprocessing.stage.pixel_sums import PixelSums

OPTIONS = StageOptions(max_side_px=64, max_bad_fraction=0.5, on_duplicate="drop")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, nasty_corpus, make_pipeline):
    root = tmp_path_factory.mktemp("stage_files")
    ingest.ingest(
        str(nasty_corpus),
        str(root / "source"),
        make_pipeline=with_a_vanishing_file(nasty_corpus, make_pipeline()),
        eval_fraction=0.3,
        seed=3,
    )
    beam_stage.preprocess(
        str(root / "source"),
        str(root / "dataset"),
        str(root / "quarantine"),
        class_names=CLASS_NAMES,
        options=OPTIONS,
        make_pipeline=make_pipeline(),
    )
    return root / "dataset"


def shard_records(dataset, split):
    """Every record by its shard's name and its position."""
    return {
        (path.name, position): records.parse_record(record)
        for path in ingest.split_folder(dataset, split).iterdir()
        for position, record in enumerate(records.read_records(str(path)))
    }


def test_manifest_says_where_every_record_is(dataset):
    rows = list(dataset_manifest.read_manifest(str(dataset / features.MANIFEST_FILE)))
    assert rows == sorted(rows, key=lambda row: (row["sha256"], row["uri"]))
    for split in ingest.SPLITS:
        expected = shard_records(dataset, split)
        used = [row for row in rows if row["split"] == split and row["status"] == "used"]
        assert len(used) == len(expected) > 0
        for row in used:
            values = expected[row["shard"], row["position"]]
            assert values[features.SHA256].decode() == row["sha256"]
            assert values[features.FILENAME].decode() == row["uri"]
            assert values[features.CLASS_TEXT].decode() == row["class"]
            assert values[features.LABEL] == row["label"]
            assert row["reason"] is None


def test_manifest_says_why_others_are_not_there(dataset, nasty_corpus, nasty_content):
    rows = dataset_manifest.read_manifest(str(dataset / features.MANIFEST_FILE))
    reasons = {
        row["uri"].removeprefix(f"{nasty_corpus}/"): (row["status"], row["reason"])
        for row in rows
        if row["status"] != "used"
    }
    bad = {name: ("quarantined", reason) for name, reason in REASONS.items()}
    copies = ("cat/plain.jpg", "dog/copy of plain.jpg", "çok güzel/copy.jpg")
    bad |= dict.fromkeys(copies, ("quarantined", "copies with different labels"))
    bad["dog/dot.png"] = ("dropped", "copy")
    assert reasons == bad


def test_an_image_is_found_by_its_digest(dataset, nasty_corpus, nasty_content):
    path = str(dataset / features.MANIFEST_FILE)
    digest = hashlib.sha256(nasty_content["one picture/alone.png"]).hexdigest()
    (row,) = dataset_manifest.find_image(path, digest)
    assert row["uri"] == str(nasty_corpus / "one picture" / "alone.png")
    nothing = hashlib.sha256(b"").hexdigest()
    assert str(nasty_corpus / VANISHING) in {
        r["uri"] for r in dataset_manifest.find_image(path, nothing)
    }
    assert dataset_manifest.find_image(path, "0" * 64) == []


def test_manifest_is_plain_parquet_in_row_groups(tmp_path):
    count = 45_000
    rows = [
        {
            "sha256": hashlib.sha256(bytes([number % 256, number // 256])).hexdigest(),
            "uri": f"file {number}",
            "label": number % 7 if number % 2 else None,
            "class": str(number % 7),
            "split": "train",
            "status": "used",
            "reason": None if number % 3 else "x",
            "shard": None if number % 5 else "train-00000-of-00001",
            "position": None if number % 5 else number,
        }
        for number in range(count)
    ]
    paths = [str(tmp_path / name) for name in ("a.parquet", "b.parquet")]
    assert dataset_manifest.write_manifest(paths[0], rows, str(tmp_path)) == count
    dataset_manifest.write_manifest(paths[1], rows[::-1], str(tmp_path))
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    table = pq.read_table(paths[0])
    assert table.schema.equals(dataset_manifest.SCHEMA)
    assert sorted(table.to_pylist(), key=lambda row: row["uri"]) == sorted(
        rows, key=lambda row: row["uri"]
    )
    assert pq.ParquetFile(paths[0]).num_row_groups == 3
    for row in (rows[0], rows[44_999]):
        assert dataset_manifest.find_image(paths[0], row["sha256"]) == [row]


def test_statistics_are_those_of_the_training_records(dataset):
    found = json.loads((dataset / features.STATISTICS_FILE).read_text(encoding="utf-8"))
    of_split = {split: list(shard_records(dataset, split).values()) for split in ingest.SPLITS}
    assert found["images"] == {split: len(values) for split, values in of_split.items()}
    names = [values[features.CLASS_TEXT].decode() for values in of_split["train"]]
    present = len(set(names))
    for label, entry in enumerate(found["classes"]):
        assert (entry["label"], entry["name"]) == (label, CLASS_NAMES[label])
        assert entry["images"]["train"] == names.count(entry["name"])
        weight = len(names) / present / names.count(entry["name"]) if entry["name"] in names else 0
        assert entry["weight"] == pytest.approx(weight)
    lines = (dataset / features.CLASS_FREQUENCIES_FILE).read_text(encoding="utf-8").splitlines()
    assert lines == [f"{names.count(name)} {name}" for name in CLASS_NAMES]
    # The sums are those before encoding, so JPEGs differ a little.
    pixels = np.concatenate(
        [
            np.asarray(Image.open(_buffer(values)).convert("RGB"), float).reshape(-1, 3)
            for values in of_split["train"]
        ]
    )
    assert found["pixels"]["pixels"] == len(pixels)
    np.testing.assert_allclose(found["pixels"]["mean"], pixels.mean(axis=0), atol=0.5)
    np.testing.assert_allclose(found["pixels"]["deviation"], pixels.std(axis=0), atol=0.5)


def _buffer(values):
    return io.BytesIO(values[features.ENCODED])


@hypothesis.settings(deadline=None, max_examples=40)
@hypothesis.given(
    sizes=st.lists(
        st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from(["L", "RGB"])), min_size=1
    ),
    seed=st.integers(0, 99),
)
def test_pixel_sums_are_exact_in_any_order(sizes, seed):
    random = np.random.default_rng(seed)
    images = [
        Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8)).convert(mode)
        for width, height, mode in sizes
    ]
    one, other = PixelSums(), PixelSums()
    for image in images:
        one.add_image(image)
    for image in images[::-1]:
        single = PixelSums()
        single.add_image(image)
        other.add(PixelSums(**json.loads(json.dumps(single.as_json()))))
    assert one == other
    assert one.mean() == other.mean()
    pixels = np.concatenate([np.asarray(i.convert("RGB"), float).reshape(-1, 3) for i in images])
    np.testing.assert_allclose(one.mean(), pixels.mean(axis=0))
    np.testing.assert_allclose(one.deviation(), pixels.std(axis=0), atol=1e-6)


def test_no_pixels_have_no_deviation():
    assert PixelSums().mean() == PixelSums().deviation() == [0.0, 0.0, 0.0]


def test_pixels_are_those_of_the_file(nasty_content):
    data = nasty_content["dog/rgba16.png"]
    encoded, pixels = image_ops.normalise_with_pixels(
        data, max_side_px=64, jpeg_quality=95, max_pixels=1000, background=(9, 8, 7)
    )
    assert np.array_equal(np.asarray(Image.open(_buffer({features.ENCODED: encoded.data}))), pixels)
