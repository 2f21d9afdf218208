"""Copies: which are used, how they are counted, what is told of them."""

import hashlib
import json
from collections import Counter, defaultdict
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st
from nasty_corpus import encode, picture, write_tree

from preprocessing import features
from preprocessing.errors import InputError
from preprocessing.files import records
from preprocessing.files.new_file import write_text
from preprocessing.ingest import ingest
from preprocessing.stage import beam_stage, dataset_manifest
from preprocessing.stage.options import StageOptions

CLASSES = ["a", "b"]


def write_source(folder, shards):
    """Source records as ingestion writes them.

    Args:
      folder: for the records.
      shards: of each shard its images: (name, number of the picture, class, split).
    """
    (folder / "index").mkdir(parents=True)
    for split in ingest.SPLITS:
        ingest.split_folder(folder, split).mkdir()
    for number, images in enumerate(shards):
        lines = []
        for split in ingest.SPLITS:
            shard = features.shard_name(split, number, len(shards))
            with records.record_writer(str(ingest.split_folder(folder, split) / shard)) as writer:
                for name, seed, class_text, _ in (image for image in images if image[3] == split):
                    data = encode(picture(seed, 8, 6), "PNG") if seed else b""
                    values = {
                        features.ENCODED: data,
                        features.CLASS_TEXT: class_text.encode(),
                        features.FILENAME: name.encode(),
                        features.SHA256: hashlib.sha256(data).hexdigest().encode(),
                        f"{features.COLUMN_PREFIX}camera": b"camera of " + name.encode(),
                    }
                    writer.write(records.make_record(values))
                    entry = {
                        "uri": name,
                        "sha256": values[features.SHA256].decode(),
                        "bytes": len(data),
                        "class": class_text,
                        "split": split,
                    }
                    lines.append(json.dumps(entry) + "\n")
        index = f"{features.shard_name('index', number, len(shards))}.jsonl"
        write_text(str(folder / "index" / index), "".join(lines))
    return folder


# One picture without copies in each split, so that none can be empty.
ALONE = [("alone 1", 101, "a", "train"), ("alone 2", 102, "b", "eval")]
SHARDS = [
    [
        *ALONE,
        ("plain 2", 1, "a", "train"),
        ("sides 1", 2, "a", "train"),
        ("labels 1", 3, "a", "train"),
    ],
    [
        ("empty 1", 0, "a", "train"),
        ("plain 1", 1, "a", "train"),
        ("sides 2", 2, "a", "eval"),
        ("sides 3", 2, "a", "eval"),
        ("labels 2", 3, "b", "train"),
        ("empty 2", 0, "b", "eval"),
        ("no class", 1, "", "train"),  # of the bytes of a plain copy
    ],
]


def run(root, make_pipeline, policy, shards=SHARDS):
    source = write_source(root / "source", shards)
    counts = beam_stage.preprocess(
        str(source),
        str(root / "dataset"),
        str(root / "quarantine"),
        class_names=CLASSES,
        options=StageOptions(max_bad_fraction=1.0, on_duplicate=policy),
        make_pipeline=make_pipeline,
    )
    used = [
        (path.parent.name.removeprefix("Split-"), records.parse_record(record))
        for path in sorted((root / "dataset").glob("Split-*/*"))
        for record in records.read_records(str(path))
    ]
    return counts, [(split, values[features.FILENAME].decode()) for split, values in used]


def lines(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def test_keep_uses_all_and_tells_of_them(tmp_path, make_pipeline, caplog):
    counts, used = run(tmp_path, make_pipeline(), "keep")
    assert len(used) == 9
    assert counts["duplicates"] == 4
    assert counts["dropped"] == 0
    assert (counts["different_labels"], counts["both_splits"]) == (2, 3)
    train, evaluation = counts["splits"]["train"], counts["splits"]["eval"]
    assert (train["duplicates"], evaluation["duplicates"]) == (3, 1)
    assert (train["both_splits"], evaluation["both_splits"]) == (1, 2)
    report = lines(tmp_path / "quarantine" / "duplicates.jsonl")
    assert [entry["sha256"] for entry in report] == sorted(entry["sha256"] for entry in report)
    by_name = {entry["uri"]: entry for entry in report}
    assert set(by_name) == {
        *("plain 1", "plain 2"),
        *("sides 1", "sides 2", "sides 3"),
        *("labels 1", "labels 2"),
    }
    assert {entry["fate"] for entry in report} == {"kept"}
    assert [by_name["sides 1"][key] for key in ("both_splits", "different_labels")] == [True, False]
    assert [by_name["labels 2"][key] for key in ("both_splits", "different_labels")] == [
        False,
        True,
    ]
    (message,) = [r.getMessage() for r in caplog.records if "copies of others" in r.getMessage()]
    assert all(name in message for name in ("labels 1", "labels 2", "sides 1", "sides 2"))
    assert "plain" not in message  # these are harmless, and there may be many


def test_drop_keeps_one_of_each_and_none_of_two_minds(tmp_path, make_pipeline):
    counts, used = run(tmp_path, make_pipeline(), "drop")
    assert sorted(used) == [
        ("eval", "alone 2"),
        ("eval", "sides 2"),
        ("train", "alone 1"),
        ("train", "plain 1"),
    ]
    assert (counts["used"], counts["dropped"], counts["quarantined"]) == (4, 3, 5)
    assert counts["duplicates"] == counts["dropped"]
    assert counts["reasons"] == {
        "copies with different labels": 2,
        "empty file": 2,
        "no class": 1,
    }
    for of in (counts, *counts["splits"].values()):
        assert of["used"] + of["dropped"] + of["quarantined"] == of["seen"]
    quarantine = lines(tmp_path / "quarantine" / "quarantine.jsonl")
    assert [entry["uri"] for entry in quarantine] == [
        *("empty 1", "empty 2"),
        *("labels 1", "labels 2"),
        "no class",
    ]
    fates = {e["uri"]: e["fate"] for e in lines(tmp_path / "quarantine" / "duplicates.jsonl")}
    assert fates == {
        "plain 1": "kept",
        "plain 2": "dropped",
        "sides 1": "dropped",
        "sides 2": "kept",
        "sides 3": "dropped",
        "labels 1": "set aside",
        "labels 2": "set aside",
    }


def test_fail_stops_before_any_picture_is_decoded(tmp_path, make_pipeline):
    def no_pipeline():
        raise AssertionError("the stage started")

    with pytest.raises(InputError, match="on_duplicate is fail") as caught:
        run(tmp_path, no_pipeline, "fail")
    message = str(caught.value)
    assert "\n" not in message
    assert "4 files are copies" in message
    assert "labels 1" in message
    assert len(lines(message.rpartition("all of them: ")[2])) == 7
    assert not (tmp_path / "dataset").exists()
    counts, _ = run(tmp_path / "clean", make_pipeline(), "fail", [ALONE])
    assert counts["used"] == 2


def test_an_index_of_other_records_is_noticed(tmp_path, make_pipeline):
    source = write_source(tmp_path / "source", SHARDS)
    (index, _) = sorted((source / "index").iterdir())
    rows = index.read_text().splitlines(keepends=True)
    index.write_text("".join(rows[::-1]))
    with pytest.raises(Exception, match="not in the order of their index"):
        beam_stage.preprocess(
            str(source),
            str(tmp_path / "dataset"),
            str(tmp_path / "quarantine"),
            class_names=CLASSES,
            options=StageOptions(max_bad_fraction=1.0, on_duplicate="drop"),
            make_pipeline=make_pipeline(),
        )


def test_columns_of_the_source_are_copied_through(tmp_path, make_pipeline):
    run(tmp_path, make_pipeline(), "keep")
    for path in (tmp_path / "dataset").glob("Split-*/*"):
        for record in records.read_records(str(path)):
            values = records.parse_record(record)
            camera = values[f"{features.COLUMN_PREFIX}camera"]
            assert camera == b"camera of " + values[features.FILENAME]


def test_copies_on_both_sides_of_a_source_with_splits(tmp_path, make_pipeline):
    write_tree(
        tmp_path / "corpus",
        {
            "train/a/1.png": encode(picture(1), "PNG"),
            "train/a/leaked.png": encode(picture(2), "PNG"),
            "train/b/2.png": encode(picture(3), "PNG"),
            "val/a/same.png": encode(picture(2), "PNG"),
            "val/b/3.png": encode(picture(4), "PNG"),
            "val/b/copy.png": encode(picture(3), "PNG"),
            "train/b/wrong too.png": encode(picture(4), "PNG"),
            "train/a/wrong three.png": encode(picture(4), "PNG"),
            "train/b/4.png": encode(picture(5), "PNG"),
        },
    )
    ingest.ingest(
        str(tmp_path / "corpus"),
        str(tmp_path / "source"),
        make_pipeline=make_pipeline(),
        eval_fraction=0.2,
        seed=0,
    )
    counts = beam_stage.preprocess(
        str(tmp_path / "source"),
        str(tmp_path / "dataset"),
        str(tmp_path / "quarantine"),
        class_names=CLASSES,
        options=StageOptions(max_bad_fraction=1.0, on_duplicate="drop"),
        make_pipeline=make_pipeline(),
    )
    rows = dataset_manifest.read_manifest(str(tmp_path / "dataset" / features.MANIFEST_FILE))
    status = {row["uri"].removeprefix(f"{tmp_path}/corpus/"): row["status"] for row in rows}
    assert status == {
        "train/a/1.png": "used",
        "train/a/leaked.png": "dropped",
        "train/b/2.png": "dropped",
        "val/a/same.png": "used",
        "val/b/3.png": "quarantined",
        "val/b/copy.png": "used",
        "train/b/wrong too.png": "quarantined",
        "train/a/wrong three.png": "quarantined",
        "train/b/4.png": "used",
    }
    assert counts["both_splits"] == 7
    assert counts["different_labels"] == 3


@hypothesis.settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@hypothesis.given(
    images=st.lists(
        st.tuples(
            st.integers(0, 4), st.sampled_from([*CLASSES, "?"]), st.sampled_from(ingest.SPLITS)
        ),
        max_size=14,
    ),
    cut=st.integers(0, 14),
    policy=st.sampled_from(["keep", "drop"]),
)
def test_nothing_is_lost_whatever_is_copied(tmp_path_factory, make_pipeline, images, cut, policy):
    named = [(f"file {number}", *image) for number, image in enumerate(images)]
    root = tmp_path_factory.mktemp("copies")
    counts, used = run(root, make_pipeline(), policy, [[*ALONE, *named[:cut]], named[cut:]])
    assert counts["seen"] == len(named) + 2
    rows = list(dataset_manifest.read_manifest(str(root / "dataset" / features.MANIFEST_FILE)))
    assert sorted(row["uri"] for row in rows) == sorted(name for name, *_ in [*ALONE, *named])
    status = Counter(row["status"] for row in rows)
    assert (status["used"], status["quarantined"], status["dropped"]) == (
        counts["used"],
        counts["quarantined"],
        counts["dropped"],
    )
    assert sorted((r["split"], r["uri"]) for r in rows if r["status"] == "used") == sorted(used)
    by_digest = defaultdict(list)
    for row in rows:
        if row["sha256"] != hashlib.sha256(b"").hexdigest():
            by_digest[row["sha256"]].append(row)
    for copies in by_digest.values():
        fates = Counter(row["status"] for row in copies)
        labels = {row["class"] for row in copies}
        if policy == "keep":
            assert fates["used"] == sum(row["class"] != "?" for row in copies)
        elif len(copies) > 1 and len(labels) > 1:
            assert fates == {"quarantined": len(copies)}
        else:
            assert fates["used"] == (labels != {"?"})
            assert fates["dropped"] == len(copies) - 1
