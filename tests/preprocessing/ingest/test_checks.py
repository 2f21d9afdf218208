"""What is said of images that cannot be used, and of labels with two meanings."""

import csv
import json

import pytest
from container_files import example, pngs, write_tar, write_tfrecord
from hypothesis import given
from hypothesis import strategies as st
from nasty_corpus import write_tree

from preprocessing import features
from preprocessing.errors import InputError, UnusableCorpusError
from preprocessing.ingest import checks, ingest
from preprocessing.ingest.report import Report
from preprocessing.problems import Problem, ProblemCounts
from preprocessing.sources.opening import open_source

PICTURES = pngs(60)


def run(source, tmp_path, make_pipeline, **options):
    given = {"eval_fraction": 0.3, "seed": 3, **options}
    source = open_source(str(source)) if not hasattr(source, "items") else source
    return ingest.ingest(source, str(tmp_path / "out"), make_pipeline=make_pipeline(), **given)


def missing_files(root):
    with open(root / "list.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "label"])
        table.writerows((f"pictures\\{n}.png", f"class {n % 2}") for n in range(60))
    return root / "list.csv"


def records_with_other_keys(root):
    made = [example(photo=data, kind=n % 2) for n, data in enumerate(PICTURES)]
    return write_tfrecord(root / "x.tfrecord", made)


def all_images_first(root):
    members = {f"{n:02}.jpg": data for n, data in enumerate(PICTURES)}
    members |= {f"{n:02}.cls": str(n % 2).encode() for n in range(60)}
    return write_tar(root / "x.tar", members)


def one_key_for_all(root):
    members = {f"x.{n:02}.jpg": data for n, data in enumerate(PICTURES)}
    return write_tar(root / "x.tar", {**members, "x.cls": b"1"})


def one_good_row(root):
    path = missing_files(root)
    (root / "good.png").write_bytes(PICTURES[0])
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-1], "good.png,class 1"]))
    return path


def empty_files(root):
    return write_tree(root / "c", {f"{'ab'[n % 2]}/{n}.png": b"" for n in range(60)})


def one_text_for_all(root):
    return write_tree(root / "c", {f"{'ab'[n % 2]}/{n}.png": b"no picture" for n in range(60)})


@pytest.mark.parametrize(
    ("make", "parts", "names"),
    [
        (missing_files, ["60 images of", "60 unreadable file: No such file", "separated by /"], 3),
        (records_with_other_keys, ["60 no single image: no image/encoded or image in a record with "
                                   "kind, photo (", "x.tfrecord#"], 3),
        (all_images_first, ["120 images", "60 no class: no label beside it",
                            "60 no single image: a label without", "tar --sort=name"], 6),
        (one_key_for_all, ["60 no single image: one of 60 images of the sample 'x'"], 3),
        (one_good_row, ["60 images of", "1 of which can be used", "59 unreadable file"], 3),
        (empty_files, ["60 images of", "60 empty file"], 3),
        (one_text_for_all, ["60 images of", "60 unknown format"], 3),
    ],
)  # fmt: skip
def test_where_nothing_can_be_used_the_files_are_blamed(
    tmp_path, make_pipeline, make, parts, names
):
    source = make(tmp_path)
    with pytest.raises(UnusableCorpusError) as caught:
        run(source, tmp_path, make_pipeline)
    message = str(caught.value)
    for part in parts:
        assert part in message
    assert "eval_fraction" not in message
    assert "\n" not in message
    assert message.count(f"{tmp_path}") == names + 1  # and the source's own
    seen = caught.value.counts["seen"]
    assert f"{seen} images" in message
    assert caught.value.counts["quarantined"] >= seen - 1
    assert not (tmp_path / "out").exists()


def test_a_few_bad_files_do_not_hide_that_there_are_too_few_images(tmp_path, make_pipeline):
    root = write_tree(tmp_path / "c", {f"{name}/{n}.png": PICTURES[n] for n in range(4)
                                       for name in "ab"})  # fmt: skip
    (root / "a" / "link.png").symlink_to("nowhere")
    with pytest.raises(InputError, match=r"eval split.*1 unreadable file.*data\.eval_fraction"):
        run(root, tmp_path, make_pipeline, eval_fraction=1e-9)


def test_images_without_bytes_go_to_both_sides(tmp_path, make_pipeline):
    corpus = write_tree(
        tmp_path / "c", {f"{'ab'[n % 2]}/{n}.png": d for n, d in enumerate(PICTURES)}
    )
    for n in range(40):
        (corpus / "a" / f"link {n}.png").symlink_to("nowhere")
    summary = run(corpus, tmp_path, make_pipeline)
    assert summary["problems"] == {"unreadable file": 40}
    entries = [e for f in ingest.index_files(tmp_path / "out") for e in ingest.read_index(f)]
    sides = {e["split"] for e in entries if e["problem"] == "unreadable file"}
    assert sides == {"train", "eval"}


def labelled(root, labels, **names):
    """Records with (number, text); images of one number are of both splits."""
    made = [
        example(
            image__encoded=PICTURES[n],
            **({} if number is None else {"image__class__label": number}),
            **({} if text is None else {"image__class__text": text}),
        )
        for n, (number, text) in enumerate(labels * (60 // len(labels)))
    ]
    return open_source(str(write_tfrecord(root / "x.tfrecord", made)), **names)


@pytest.mark.parametrize(
    ("labels", "parts"),
    [
        ([(134, "crane"), (517, "crane"), (1, "dog")], ["'crane' has the labels 134 (", "517 ("]),
        ([(1, "cat"), (1, "dog"), (2, "cow")], ["the label 1 is 'cat' (", "'dog' ("]),
        ([(1, "cat"), (1, None), (2, "cow")], ["the label 1 is '1' (", "'cat' ("]),
    ],
)
def test_a_label_with_two_meanings_is_refused(tmp_path, make_pipeline, labels, parts):
    with pytest.raises(InputError, match=r"one name.*class_names_file") as caught:
        run(labelled(tmp_path, labels), tmp_path, make_pipeline)
    for part in parts:
        assert part in str(caught.value)
    assert str(caught.value).count("x.tfrecord#") == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "labels", [[(1, "cat"), (2, "dog"), (None, "cat"), (None, "cow")], [(1, None), (2, None)]]
)
def test_labels_with_one_meaning_are_read(tmp_path, make_pipeline, labels):
    assert run(labelled(tmp_path, labels), tmp_path, make_pipeline)["images"] == 60


def test_a_file_of_class_names_decides_what_a_label_means(tmp_path, make_pipeline):
    names = tmp_path / "names.txt"
    names.write_text("crane (bird)\ncrane (machine)\n")
    source = labelled(tmp_path, [(0, "crane"), (1, "crane")], class_names_file=str(names))
    run(source, tmp_path, make_pipeline)
    entries = [e for f in ingest.index_files(tmp_path / "out") for e in ingest.read_index(f)]
    assert {entry["class"] for entry in entries} == {"crane (bird)", "crane (machine)"}


def test_names_that_look_alike_and_what_was_skipped_are_told(tmp_path, make_pipeline):
    names = ["Cat", "cat", "caf\u00e9", "cafe\u0301", "dog"]
    files = {f"{names[n % 5]}/{n}.png": data for n, data in enumerate(PICTURES)}
    corpus = write_tree(tmp_path / "c", {**files, "dog/Thumbs.db": b"x", "Cat/deep/1.png": b"x"})
    summary = run(corpus, tmp_path, make_pipeline)
    notes = summary["notes"]
    assert summary["skipped"] == 1
    assert any("'Cat', 'cat'; are they meant to be one?" in note for note in notes)
    assert any(r"'cafe\u0301', 'caf\xe9'" in note for note in notes)
    assert any("up to 1 levels of folders" in note for note in notes)
    assert any("were skipped (dog/Thumbs.db)" in note for note in notes)
    assert json.loads((tmp_path / "out" / features.INGESTION_FILE).read_text())["notes"] == notes


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (["a", "b"], 0),
        (["hot dog", "hot  dog", "Hot dog"], 1),
        (["\u0645\u06cc\u200c", "\u0645\u06cc"], 1),
        (["stra\u00dfe", "STRASSE"], 1),
        (["\ufb01sh", "fish"], 1),
        (["cat-1", "cat_1"], 0),
    ],
)
def test_which_names_look_alike(names, groups):
    assert len(checks.similar_names(names)) == groups


counted = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y"]), st.sampled_from(["", "why"]))
)


@given(st.lists(counted, max_size=4))
def test_problems_added_up_in_parts_are_those_of_all(parts):
    whole, summed = ProblemCounts(), ProblemCounts()
    for part in parts:
        own = ProblemCounts()
        for uri, reason, detail in part:
            whole.add(uri, Problem(reason, detail))
            own.add(uri, Problem(reason, detail))
        summed.add_all(json.loads(json.dumps(own.to_json())))
    assert str(summed) == str(whole)
    assert summed.by_reason == whole.by_reason
    assert summed.total == sum(map(len, parts))


def test_a_report_comes_back_from_its_file(tmp_path):
    report = Report()
    for n in range(5):
        report.add(
            uri=f"u{n}", class_text=["a", "b", ""][n % 3], label=[None, n][n % 2], split="train",
            split_from="content", problem=Problem("why", "so") if n == 2 else None,
        )  # fmt: skip
    report.write(tmp_path / "r.json")
    again = Report()
    again.add_file(tmp_path / "r.json")
    assert (again.splits, again.usable, again.classes) == (
        {"train": 5}, {"train": 4}, {"a": 2, "b": 2}
    )  # fmt: skip
    assert again.labels == {(1, "b"): "u1", (3, "a"): "u3"}
    assert again.problems.by_reason == {"why": 1}
