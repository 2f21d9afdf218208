"""Copies: which are used, how they are counted, and what a person reads about them."""

import hashlib
import itertools
import json
from collections import Counter, defaultdict
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st
from nasty_corpus import encode, picture, write_tree

from preprocessing import features
from preprocessing.errors import UnusableCorpusError
from preprocessing.files import records
from preprocessing.files.new_file import write_text
from preprocessing.ingest import ingest
from preprocessing.stage import beam_stage, dataset_manifest, duplicates
from preprocessing.stage.counts import copy_warnings, label_conflict_examples
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
    assert {entry["decision"] for entry in report} == {"kept"}
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
    decided = {e["uri"]: e["decision"] for e in lines(tmp_path / "quarantine" / "duplicates.jsonl")}
    assert decided == {
        "plain 1": "kept",
        "plain 2": "dropped",
        "sides 1": "dropped",
        "sides 2": "kept",
        "sides 3": "dropped",
        "labels 1": "quarantined",
        "labels 2": "quarantined",
    }


def test_fail_stops_before_any_picture_is_decoded(tmp_path, make_pipeline):
    def no_pipeline():
        raise AssertionError("the stage started")

    with pytest.raises(UnusableCorpusError, match="on_duplicate is fail") as caught:
        run(tmp_path, no_pipeline, "fail")
    message = str(caught.value)
    assert "\n" not in message
    assert "4 files are copies" in message
    assert "labels 1" in message
    assert len(lines(message.rpartition("all of them: ")[2])) == 7
    found = caught.value.counts
    assert (found["seen"], found["duplicates"], found["on_duplicate"]) == (12, 4, "fail")
    assert found["label_conflicts"]["files"] == 2
    assert "used" not in found  # nobody knows yet
    assert not (tmp_path / "dataset").exists()
    counts, _ = run(tmp_path / "clean", make_pipeline(), "fail", [ALONE])
    assert counts["used"] == 2


def test_conflicting_labels_are_counted_and_three_pairs_are_named(tmp_path, make_pipeline):
    conflicts = [
        (f"{name} of {seed} in {split}", seed, name, split)
        for seed in range(10, 15)
        for name, split in (("a", "train"), ("a", "eval"), ("b", "train"))
    ]
    counts, _ = run(tmp_path, make_pipeline(), "keep", [*SHARDS, conflicts])
    report = lines(tmp_path / "quarantine" / "duplicates.jsonl")
    found = counts["label_conflicts"]
    assert found["files"] == counts["different_labels"] == 17
    assert found["files"] == sum(entry["different_labels"] for entry in report)
    assert found["pictures"] == 6
    assert len(found["pairs"]) == 3
    by_name = {entry["uri"]: entry for entry in report}
    for one, other in found["pairs"]:
        assert one["class"] != other["class"]
        assert by_name[one["uri"]]["sha256"] == by_name[other["uri"]]["sha256"]
        assert one.items() <= by_name[one["uri"]].items()
    first, *_, advice = copy_warnings(counts, "--on_duplicate=drop")
    assert first == "17 files have a copy with another label (6 different pictures)"
    assert advice.startswith("--on_duplicate=drop uses none of the copies with different labels")
    groups = list(duplicates.read_conflicts(str(tmp_path / "quarantine" / "duplicates.jsonl")))
    assert sorted(len(group) for group in groups) == [2, 3, 3, 3, 3, 3]
    assert list(itertools.chain(*groups)) == [
        entry for entry in report if entry["different_labels"]
    ]


def test_every_line_of_the_report_says_where_the_source_record_is(tmp_path, make_pipeline):
    run(tmp_path, make_pipeline(), "keep")
    for entry in lines(tmp_path / "quarantine" / "duplicates.jsonl"):
        shard = features.shard_name(entry["split"], entry["shard"], len(SHARDS))
        path = ingest.split_folder(tmp_path / "source", entry["split"]) / shard
        record = list(records.read_records(str(path)))[entry["position"]]
        assert records.parse_record(record)[features.FILENAME].decode() == entry["uri"]


def test_no_warning_of_copies_that_do_no_harm(tmp_path, make_pipeline):
    shards = [[*ALONE, ("plain 1", 1, "a", "train"), ("plain 2", 1, "a", "train")]]
    counts, _ = run(tmp_path / "plain", make_pipeline(), "keep", shards)
    assert counts["duplicates"] == 1
    assert copy_warnings(counts, "drop") == []
    counts, _ = run(tmp_path / "dropped", make_pipeline(), "drop", SHARDS)
    found = copy_warnings(counts, "drop")
    # Nothing is left to be done.
    assert found == ["2 files have a copy with another label (1 picture), and are not used"]
    assert label_conflict_examples(counts) == ["labels 1 is 'a', its copy labels 2 is 'b'"]


def test_dropped_conflicts_are_no_bad_images(tmp_path, make_pipeline):
    """Who asks for `drop` gets a dataset, however many copies have different labels."""
    source = write_source(
        tmp_path / "source",
        [[*ALONE, *((f"{name} of {n}", n, name, "train") for n in range(1, 9) for name in "ab")]],
    )

    def preprocess(name, shards=None):
        return beam_stage.preprocess(
            str(shards or source),
            str(tmp_path / name / "dataset"),
            str(tmp_path / name / "quarantine"),
            class_names=CLASSES,
            options=StageOptions(max_bad_fraction=0.0, on_duplicate="drop"),
            make_pipeline=make_pipeline(),
        )

    counts = preprocess("only conflicts")
    assert (counts["used"], counts["quarantined"]) == (2, 16)
    one_empty = write_source(tmp_path / "one empty", [[*ALONE, *SHARDS[1], *SHARDS[0][4:]]])
    with pytest.raises(UnusableCorpusError) as caught:
        preprocess("stopped", one_empty)
    message = str(caught.value)
    assert "Received: 3 of 10: 2 empty file (" in message
    assert "; 1 no class" in message
    assert "; 2 copies with different labels do not count; all of them: " in message
    assert message.count("labels") == 1  # and in none of the names
    # What the sentence counts, the error has for scripts.
    found = caught.value.counts
    assert (found["seen"], found["quarantined"]) == (10, 5)
    assert found["reasons"] == {"copies with different labels": 2, "empty file": 2, "no class": 1}
    assert len(lines(Path(caught.value.lists, "quarantine.jsonl"))) == 5


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
        statuses = Counter(row["status"] for row in copies)
        labels = {row["class"] for row in copies}
        if policy == "keep":
            assert statuses["used"] == sum(row["class"] != "?" for row in copies)
        elif len(copies) > 1 and len(labels) > 1:
            assert statuses == {"quarantined": len(copies)}
        else:
            assert statuses["used"] == (labels != {"?"})
            assert statuses["dropped"] == len(copies) - 1
