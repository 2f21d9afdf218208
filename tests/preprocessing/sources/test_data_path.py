"""Ingestion and the Beam stage over a nasty corpus, and over a plain one that goes wrong."""

import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from dataset_files import read, tree
from nasty_corpus import (
    CLASS_NAMES,
    DEAD_LINK,
    PASS_THROUGH,
    REASONS,
    VANISHING,
    with_a_vanishing_file,
)
from PIL import Image

from preprocessing import features
from preprocessing.errors import InputError
from preprocessing.ingest import ingest
from preprocessing.stage import beam_stage
from preprocessing.stage.options import StageOptions

OPTIONS = StageOptions(max_side_px=64, max_bad_fraction=0.5)


def run(corpus, root, make_pipeline, options=OPTIONS):
    ingest.ingest(
        str(corpus), str(root / "source"), make_pipeline=make_pipeline, eval_fraction=0.3, seed=3
    )
    return beam_stage.preprocess(
        str(root / "source"),
        str(root / "dataset"),
        str(root / "quarantine"),
        class_names=CLASS_NAMES,
        options=options,
        make_pipeline=make_pipeline,
    )


def name_of(values, corpus):
    return str(Path(values[features.FILENAME].decode()).relative_to(corpus))


@pytest.fixture(scope="module")
def nasty_run(tmp_path_factory, nasty_corpus, make_pipeline):
    root = tmp_path_factory.mktemp("nasty_run")
    return root, run(nasty_corpus, root, with_a_vanishing_file(nasty_corpus, make_pipeline()))


@pytest.fixture
def quarantined(nasty_run, nasty_corpus):
    lines = (nasty_run[0] / "quarantine" / "quarantine.jsonl").read_text(encoding="utf-8")
    entries = [json.loads(line) for line in lines.splitlines()]
    assert entries == sorted(entries, key=lambda entry: entry["uri"])
    return {str(Path(entry["uri"]).relative_to(nasty_corpus)): entry for entry in entries}


def test_every_file_is_used_or_quarantined(nasty_run, nasty_corpus, nasty_content, quarantined):
    root, counts = nasty_run
    used = [name_of(values, nasty_corpus) for _, values in read(root / "dataset")]
    everything = {*nasty_content, DEAD_LINK, VANISHING}
    assert len(used) == len(set(used))
    assert set(used) | set(quarantined) == everything
    assert set(quarantined) == {name for name in everything if "bad" in name}
    assert counts["seen"] == len(everything) == counts["used"] + counts["quarantined"]
    assert counts["quarantined"] == len(REASONS)
    assert counts["duplicates"] == 3
    assert counts == json.loads((root / "dataset" / "counts.json").read_text())
    for name in ("seen", "used", "quarantined", "duplicates"):
        assert counts[name] == sum(split[name] for split in counts["splits"].values())
    by_split = Counter(split for split, _ in read(root / "dataset"))
    assert by_split == {split: of["used"] for split, of in counts["splits"].items()}


def test_quarantine_says_why(nasty_content, quarantined):
    assert {name: entry["reason"] for name, entry in quarantined.items()} == REASONS
    cut = quarantined["çok güzel/bad cut.jpg"]
    data = nasty_content["çok güzel/bad cut.jpg"]
    assert cut["sha256"] == hashlib.sha256(data).hexdigest()
    assert (cut["bytes"], cut["class"]) == (len(data), "çok güzel")
    for name in (DEAD_LINK, VANISHING):
        assert "No such file" in quarantined[name]["detail"]


def test_records_keep_the_contract(nasty_run, nasty_corpus, nasty_content):
    for _, values in read(nasty_run[0] / "dataset"):
        name = name_of(values, nasty_corpus)
        pixels = tf.io.decode_image(values[features.ENCODED], 3, expand_animations=False).numpy()
        assert pixels.shape == (values[features.HEIGHT], values[features.WIDTH], 3)
        assert min(pixels.shape[:2]) <= 64
        assert tf.io.is_jpeg(values[features.ENCODED]) == (values[features.FORMAT] == b"jpeg")
        assert values[features.SHA256].decode() == hashlib.sha256(nasty_content[name]).hexdigest()
        assert values[features.CLASS_TEXT].decode() == name.partition("/")[0]
        assert CLASS_NAMES[values[features.LABEL]] == name.partition("/")[0]
        assert features.PROBLEM not in values
    labels = (nasty_run[0] / "dataset" / features.CLASS_NAMES_FILE).read_text(encoding="utf-8")
    assert labels.splitlines() == CLASS_NAMES


def test_plain_images_pass_byte_for_byte_and_others_do_not(nasty_run, nasty_corpus, nasty_content):
    encoded = {
        name_of(values, nasty_corpus): values[features.ENCODED]
        for _, values in read(nasty_run[0] / "dataset")
    }
    same = {name for name, data in encoded.items() if data == nasty_content[name]}
    assert same == PASS_THROUGH


def test_source_records_hold_files_as_they_are(nasty_run, nasty_corpus, nasty_content):
    sources = {name_of(v, nasty_corpus): v for _, v in read(nasty_run[0] / "source")}
    for name, data in nasty_content.items():
        assert sources[name][features.ENCODED] == data
        assert features.LABEL not in sources[name]
    assert sources["dog/a png.jpg"][features.FORMAT] == b"png"
    assert sources["çok güzel/bad huge.png"][features.WIDTH] == 30_000
    assert features.WIDTH not in sources["çok güzel/bad text.jpg"]
    link = sources["çok güzel/bad link.jpg"]
    assert link[features.ENCODED] == b""
    assert link[features.PROBLEM] == b"unreadable file"
    assert link[features.PROBLEM_DETAIL] == b"No such file or directory"


def test_copies_are_on_one_side(nasty_run):
    sides = {}
    for split, values in read(nasty_run[0] / "dataset"):
        sides.setdefault(values[features.SHA256], []).append(split)
    copies = [splits for splits in sides.values() if len(splits) > 1]
    assert sorted(map(len, copies)) == [2, 3]
    assert all(len(set(splits)) == 1 for splits in copies)


def test_no_shard_is_missing(nasty_run):
    for split in ingest.SPLITS:
        names = sorted(p.name for p in (nasty_run[0] / "source" / f"Split-{split}").iterdir())
        assert names == [features.shard_name(split, i, len(names)) for i in range(len(names))]
        assert len(names) > 1


def test_two_workers_write_the_same_source(nasty_run, nasty_corpus, make_pipeline, tmp_path):
    ingest.ingest(
        str(nasty_corpus),
        str(tmp_path / "source"),
        make_pipeline=with_a_vanishing_file(nasty_corpus, make_pipeline(num_workers=2)),
        eval_fraction=0.3,
        seed=3,
    )
    assert tree(tmp_path / "source") == tree(nasty_run[0] / "source")


def test_an_image_keeps_its_side_as_the_corpus_grows(small_corpus, make_pipeline, tmp_path):
    def sides(root):
        ingest.ingest(
            str(small_corpus), str(root), make_pipeline=make_pipeline(), eval_fraction=0.3, seed=3
        )
        return {values[features.FILENAME]: split for split, values in read(root)}

    before = sides(tmp_path / "before")
    for number in range(10):
        Image.new("RGB", (5, 5), (number, 0, 0)).save(small_corpus / "a" / f"new {number}.png")
    after = sides(tmp_path / "after")
    assert len(after) == len(before) + 10
    assert before.items() <= after.items()
    share = Counter(after.values())[features.EVAL_SPLIT] / len(after)
    assert 0.1 < share < 0.5


def test_too_many_bad_images_stop_the_run(nasty_run, nasty_corpus, make_pipeline, tmp_path):
    options = StageOptions(max_bad_fraction=0.05)
    maker = with_a_vanishing_file(nasty_corpus, make_pipeline())
    with pytest.raises(InputError, match="max_bad_fraction") as caught:
        run(nasty_corpus, tmp_path, maker, options)
    message = str(caught.value)
    assert "\n" not in message
    assert f"{len(REASONS)} of {nasty_run[1]['seen']}" in message
    assert "9 damaged or truncated" in message
    assert "1 too many pixels" in message
    counts = caught.value.counts
    assert counts["seen"] == nasty_run[1]["seen"]
    assert counts["reasons"] == Counter(REASONS.values())
    for reason, count in counts["reasons"].items():
        part = next(part for part in message.split("; ") if f"{count} {reason}" in part)
        assert part.count("bad ") == min(count, 3)  # the first names
    assert str(tmp_path / "quarantine" / "quarantine.jsonl") in message
    complete = tree(nasty_run[0] / "quarantine")
    # What was stopped does not get as far as the comparison of what is used.
    assert complete.pop("near_duplicates.jsonl")
    assert tree(tmp_path / "quarantine") == complete
    assert not (tmp_path / "dataset").exists()


def test_shards_have_the_wanted_size(small_corpus, make_pipeline, tmp_path):
    noise = np.random.default_rng(0)
    for number in range(12):
        pixels = noise.integers(0, 256, (256, 256, 3), np.uint8)  # about 197 kB as PNG
        Image.fromarray(pixels).save(small_corpus / "a" / f"noise {number}.png")
    source, dataset = tmp_path / "source", tmp_path / "dataset"
    ingest.ingest(
        str(small_corpus), str(source), make_pipeline=make_pipeline(), eval_fraction=0.3, seed=3
    )
    beam_stage.preprocess(
        str(source),
        str(dataset),
        str(tmp_path / "quarantine"),
        class_names=["a", "b"],
        options=StageOptions(shard_size_mb=1),
        make_pipeline=make_pipeline(),
    )
    shards = sorted((dataset / "Split-train").iterdir())
    assert len(shards) > 1
    assert all(shard.stat().st_size <= 1_000_000 for shard in shards)
    assert [s.name for s in shards] == [
        features.shard_name("train", i, len(shards)) for i in range(len(shards))
    ]
    order = [values[features.FILENAME] for _, values in read(source)]
    assert [values[features.FILENAME] for _, values in read(dataset)] == order
    assert sorted(p.name for p in dataset.iterdir()) == [
        "Split-eval",
        "Split-train",
        "class_frequencies.txt",
        "counts.json",
        "labels.txt",
        "manifest.parquet",
        "statistics.json",
    ]


def test_an_error_in_the_middle_leaves_no_dataset(small_corpus, make_pipeline, tmp_path):
    source = tmp_path / "out" / "source"
    ingest.ingest(
        str(small_corpus), str(source), make_pipeline=make_pipeline(), eval_fraction=0.3, seed=3
    )
    shard = sorted((source / "Split-train").iterdir())[-1]
    data = shard.read_bytes()
    shard.write_bytes(data[: len(data) // 2])  # the others are written before this one fails
    with pytest.raises(Exception, match=r"(?i)truncated|corrupted"):
        beam_stage.preprocess(
            str(source),
            str(tmp_path / "out" / "dataset"),
            str(tmp_path / "quarantine"),
            class_names=["a", "b"],
            options=OPTIONS,
            make_pipeline=make_pipeline(),
        )
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["source"]
    shutil.rmtree(small_corpus / "b")
    with pytest.raises(InputError):
        ingest.ingest(
            str(small_corpus),
            str(tmp_path / "out" / "again"),
            make_pipeline=make_pipeline(),
            eval_fraction=0.3,
            seed=3,
        )
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["source"]


def test_a_lost_record_is_noticed(small_corpus, make_pipeline, tmp_path):
    source = tmp_path / "source"
    ingest.ingest(
        str(small_corpus), str(source), make_pipeline=make_pipeline(), eval_fraction=0.3, seed=3
    )
    sorted((source / "Split-train").iterdir())[0].write_bytes(b"")
    with pytest.raises(RuntimeError, match="split train"):
        beam_stage.preprocess(
            str(source),
            str(tmp_path / "dataset"),
            str(tmp_path / "quarantine"),
            class_names=["a", "b"],
            options=OPTIONS,
            make_pipeline=make_pipeline(),
        )


def test_a_split_without_images_is_refused(small_corpus, make_pipeline, tmp_path):
    with pytest.raises(InputError, match=r"eval split.*eval_fraction"):
        ingest.ingest(
            str(small_corpus),
            str(tmp_path / "source"),
            make_pipeline=make_pipeline(),
            eval_fraction=0.0001,
            seed=3,
        )


def test_an_output_with_something_in_it_is_left_alone(small_corpus, make_pipeline, tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="empty or absent"):
        ingest.ingest(
            str(small_corpus),
            str(tmp_path / "source"),
            make_pipeline=make_pipeline(),
            eval_fraction=0.3,
            seed=3,
        )
    assert tree(tmp_path / "source") == {"mine.txt": b"mine"}
