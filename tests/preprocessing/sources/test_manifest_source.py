"""Manifests: rows that make sense are images, all others are refused with their number."""

import csv
import io
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.errors import InputError
from preprocessing.problems import NO_CLASS, UNREADABLE
from preprocessing.sources.base import Item
from preprocessing.sources.class_names import ClassNames
from preprocessing.sources.manifest import ManifestSource
from preprocessing.sources.opening import open_source


def write(path, text):
    path.write_bytes(text.encode())
    return ManifestSource(str(path))


def test_rows_are_images_and_more_columns_are_kept(small_corpus, tmp_path):
    picture = small_corpus / "a" / "1.png"
    source = write(
        small_corpus / "list.csv",
        "\ufeffpath,label,split,camera,köpek\r\n"
        "a/1.png,cat,train,left,yes\r\n"
        f"{picture},dog,VAL,,\r\n"
        '\r\n"b/2.png","a ""big"" dog, too",,"two\nlines",no\r\n'
        "a/1.png,cat,train,left,yes\r\n"
        "s3://bucket/3.png,cat,test,,\r\n",
    )
    first, second, third, again, remote = source.items()
    assert first == Item(
        uri=f"{small_corpus}/a/1.png",
        class_text="cat",
        split="train",
        num_bytes=picture.stat().st_size,
        columns={"camera": "left", "köpek": "yes"},
    )
    assert again == first
    assert (second.uri, second.split, second.columns) == (str(picture), "eval", {})
    assert (third.class_text, third.split) == ('a "big" dog, too', None)
    assert third.columns == {"camera": "two\nlines", "köpek": "no"}
    assert (remote.uri, remote.split) == ("s3://bucket/3.png", "test")
    assert source.read(first).data == picture.read_bytes()
    assert source.read(first).columns == {"camera": "left", "köpek": "yes"}
    survey = source.survey(100)
    assert (survey.num_images, survey.num_classes) == (5, 3)
    assert source.survey(2).num_classes is None


def test_json_lines_and_tabs(small_corpus):
    rows = [
        {"path": "a/1.png", "label": 7, "weight": 0.5, "night": True, "note": None},
        {"label": "8", "path": "b/1.png", "split": "train"},
    ]
    lines = "\n\n".join(json.dumps(row) for row in rows)
    first, second = write(small_corpus / "list.JSONL", lines).items()
    assert (first.class_text, first.columns) == ("7", {"weight": "0.5", "night": "true"})
    assert (second.class_text, second.split, second.columns) == ("8", "train", {})
    tabs = write(small_corpus / "list.tsv", "label\tpath\nx, y\ta/1.png\nz\ta/2.png")
    assert [item.class_text for item in tabs.items()] == ["x, y", "z"]


def test_a_missing_file_is_an_image_that_cannot_be_read(small_corpus):
    source = write(small_corpus / "list.csv", "path,label\na/none.png,a\na/1.png,b\n")
    missing, there = source.items()
    assert (missing.num_bytes, missing.problem) == (0, None)
    assert source.read(missing).problem == (UNREADABLE, "No such file or directory")
    assert source.read(missing).class_text == "a"
    assert source.read(there).problem is None
    survey = source.survey(10)
    assert survey.num_images == 2
    assert str(survey.problems) == (
        f"1 unreadable file: No such file or directory ({small_corpus}/a/none.png)"
    )


def test_class_names_and_numbers(small_corpus):
    path = small_corpus / "list.csv"
    path.write_text("path,label\na/1.png,1\na/2.png,3\na/3.png,dog\na/4.png,cow\n")
    items = list(ManifestSource(str(path), ClassNames(("cat", "dog"), 1)).items())
    assert [item.class_text for item in items] == ["cat", "", "dog", ""]
    assert items[1].problem == (NO_CLASS, "label 3 is outside of 1 to 2")
    assert items[3].problem == (NO_CLASS, "class 'cow' is none of the 2 class names")
    content = ManifestSource(str(path)).read(items[3])
    assert content.data == (small_corpus / "a" / "4.png").read_bytes()


def test_uris_of_this_machine_and_of_web_servers(small_corpus):
    picture = small_corpus / "a" / "1 2%.png"
    (small_corpus / "a" / "1.png").rename(picture)
    rows = [picture.as_uri(), f"FILE://localhost{picture.as_uri()[7:]}", "file://elsewhere/x.png"]
    rows += ["https://example.org/x.png", "a/2.png"]
    lines = [f"{row},{'ab'[number % 2]}" for number, row in enumerate(rows)]
    source = write(small_corpus / "list.csv", "path,label\n" + "\n".join(lines))
    found = list(source.items())
    assert [item.uri for item in found[:2]] == [str(picture)] * 2
    assert source.read(found[0]).data == picture.read_bytes()
    assert [bool(source.read(item).problem) for item in found] == [False] * 2 + [True] * 2 + [False]
    assert source.read(found[3]).problem == (UNREADABLE, "files of web servers are not read")


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("a\\1.png", "separated by / and not by"),
        ("~/a/1.png", "only a shell knows what ~ means"),
        ("https://example.org/1.png", "download the files"),
        ("small/a/1.png", "in the current directory"),
        ("pictures/1.png", "resolved against the manifest's folder"),
    ],
)
def test_advice_where_no_file_is_found(small_corpus, monkeypatch, path, advice):
    monkeypatch.chdir(small_corpus.parent)
    source = write(small_corpus / "list.csv", f"path,label\n{path},a\n{path},b\n")
    problems = source.survey(10).problems
    assert problems.total == 2
    assert advice in source.advice(problems.names)


def test_what_tables_of_people_have(small_corpus):
    boxes = ",".join(["12"] * 100_000)
    text = f',file_name,label,boxes\n0,a/1.png,x,"{boxes}"\n1,b/1.png,y,\n'
    first, second = write(small_corpus / "list.csv", text).items()
    assert (first.uri, first.class_text) == (f"{small_corpus}/a/1.png", "x")
    assert first.columns == {"boxes": boxes}  # and none for the index of pandas
    assert second.columns == {}
    named = ManifestSource(str(small_corpus / "list.csv"), label_column="boxes")
    with pytest.raises(InputError, match=r"row 3 of .*has no boxes"):
        list(named.items())
    lines = ['{"file_name": "a/1.png", "kind": 1}', '{"file_name": "b/1.png", "kind": 2}']
    (small_corpus / "x.jsonl").write_text("\n".join(lines))
    kinds = ManifestSource(str(small_corpus / "x.jsonl"), label_column="kind")
    assert [item.class_text for item in kinds.items()] == ["1", "2"]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_image_folders_of_hugging_face(small_corpus, ending):
    for split, name in (("train", "a"), ("test", "b")):
        folder = small_corpus / split
        (small_corpus / name).rename(folder)
        rows = [{"file_name": f"{n}.png", "label": f"x{n % 2}", "note": "n"} for n in range(30)]
        if ending == "jsonl":
            text = "\n".join(map(json.dumps, rows))
        else:
            text = "\n".join(["file_name,label,note", *(",".join(row.values()) for row in rows)])
        (folder / f"metadata.{ending}").write_text(text)
    source = open_source(str(small_corpus))
    assert source.format == "manifest"
    found = list(source.items())
    assert len(found) == 60
    assert {(item.split, item.class_text) for item in found} == {
        (split, f"x{n}") for split in ("train", "test") for n in range(2)
    }
    assert found[0].columns == {"note": "n"}
    assert all(source.read(item).problem is None for item in found)
    before = source.fingerprint()
    (small_corpus / "train" / "1.png").touch()
    assert source.fingerprint() != before


def test_metadata_without_labels_leaves_the_classes_to_the_folders(small_corpus):
    (small_corpus / "metadata.csv").write_text("file_name,caption\na/1.png,x\n")
    assert open_source(str(small_corpus)).format == "folder"
    (small_corpus / "metadata.jsonl").write_text("")
    with pytest.raises(InputError, match=r"one metadata file.*metadata\.csv and metadata\.jsonl"):
        open_source(str(small_corpus))


def test_fingerprint_sees_rows_and_images(small_corpus):
    path = small_corpus / "list.csv"
    path.write_text("path,label\na/1.png,a\nb/1.png,b\n")

    def now():
        return ManifestSource(str(path)).fingerprint()

    seen = [now()]
    assert now() == seen[0]
    os.utime(small_corpus / "a" / "2.png", ns=(5, 5))  # in no row
    assert now() == seen[0]
    os.utime(small_corpus / "a" / "1.png", ns=(5, 5))
    seen.append(now())
    path.write_text("path,label\na/1.png,a\nb/2.png,b\n")
    seen.append(now())
    assert len(set(seen)) == 3


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.csv", "", "first row must name its columns.*nothing"),
        ("x.csv", "file,label\na,b\n", "first row must name its columns.*'file', 'label'"),
        ("x.csv", "path,label,path\na,b,c\n", "all different"),
        ("x.csv", ",path\n0,a\n", "first row.*'', 'path'"),
        ("x.jsonl", "[" * 100_000, "row 1 of .*is no JSON"),
        ("x.csv", "path,label\na,b\nc,d,e\n", "row 3 of .*3 fields, the header has 2"),
        ("x.csv", "path,label\na,b\nc\n", "row 3 of .*1 fields"),
        ("x.csv", 'path,label\na,b\n"c,d\n', "row 3 of .*is no CSV"),
        ("x.csv", "path,label\n,b\n", "row 2 of .*has no path"),
        ("x.csv", "path,label\na,\n", "row 2 of .*has no label"),
        ("x.csv", "path,label\na, b\n", "row 2 of .*label ' b'"),
        ("x.csv", "path,label,split\na,b,dev\n", "row 2 of .*split 'dev'.*train"),
        ("x.csv", "path,label\na,b\nc,b\n", "at least two classes.*'b'"),
        ("x.csv", "path,label\na\0,b\n", r"row 2 of .*(zero byte|NUL)"),
        ("x.jsonl", '{"path": "a", "label": "b"}\n[1]\n', "row 2 of .*no JSON object"),
        ("x.jsonl", '{"path": "a", "label": "b"}\n\n{"path"', "row 3 of .*is no JSON"),
        ("x.jsonl", '{"path": "a", "label": ["b"]}\n', "row 1 of .*a list in 'label'"),
        ("x.jsonl", '{"path": "a\\u0000", "label": "b"}\n', "row 1 of .*zero byte"),
        ("x.jsonl", '{"path": "a\\ud800", "label": "b"}\n', "row 1 of .*no text"),
        ("x.jsonl", '{"path": "a", "label": "b", "": 3}\n', "row 1 of .*name"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(tmp_path, name, text, message):
    source = write(tmp_path / name, text)
    for look in (source.fingerprint, lambda: source.survey(100)):
        with pytest.raises(InputError, match=message) as caught:
            look()
        assert "\n" not in str(caught.value)
        assert str(tmp_path / name) in str(caught.value)


def test_files_that_are_no_manifest(tmp_path):
    (tmp_path / "x.csv").write_bytes(b"path,label\n\xff,b\n")
    with pytest.raises(InputError, match="UTF-8"):
        ManifestSource(str(tmp_path / "x.csv")).survey(100)
    with pytest.raises(InputError, match="readable file"):
        ManifestSource(str(tmp_path / "y.csv")).survey(100)


names = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)
good_text = names.filter(lambda text: text.isprintable() and text == text.strip())


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {"path": names, "label": good_text, "split": st.sampled_from(["", "train", "test"])},
            optional={"view": names},
        ),
        min_size=2,
        max_size=6,
        unique_by=lambda row: row["label"],
    )
)
def test_any_row_comes_back_from_both_kinds_of_file(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("wild")
    text = io.StringIO()
    table = csv.DictWriter(text, ["path", "label", "split", "view"])
    table.writeheader()
    table.writerows(rows)
    as_csv = list(write(folder / "x.csv", text.getvalue()).items())
    as_json = list(write(folder / "x.jsonl", "\n".join(map(json.dumps, rows))).items())
    assert as_csv == as_json
    assert [item.uri for item in as_csv] == [os.path.join(folder, row["path"]) for row in rows]
    assert [item.class_text for item in as_csv] == [row["label"] for row in rows]
    assert [item.columns.get("view") for item in as_csv] == [row.get("view") for row in rows]


@settings(max_examples=150, deadline=None)
@given(
    ending=st.sampled_from(["csv", "tsv", "jsonl"]),
    content=st.binary(max_size=80)
    | st.text(st.sampled_from('path,label\n\r\t"{}:[]0\\ud8'), max_size=120).map(str.encode)
    | st.binary(max_size=40).map(lambda data: b"path,label\na,b\nc,d\n" + data),
)
def test_any_content_is_read_or_refused_in_one_line(tmp_path_factory, ending, content):
    path = tmp_path_factory.mktemp("wild") / f"x.{ending}"
    path.write_bytes(content)
    source = ManifestSource(str(path))
    items, refusal = [], ""
    try:
        items = list(source.items())
    except InputError as error:
        refusal = str(error)
    assert "\n" not in refusal
    assert refusal or len({item.class_text for item in items}) >= 2
    assert all(source.read(item).data == b"" for item in items)  # there are no such files


@pytest.mark.parametrize("ending", ["csv", "tsv"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_what_stands_between_the_columns_is_seen_in_the_first_row(small_corpus, mark, ending):
    rows = [("label", "path", "size, cm"), ("a; b", "a/1.png", "1,5"), ("z", "a/2.png", "\t")]
    stream = io.StringIO()
    csv.writer(stream, delimiter=mark).writerows([row[:2] for row in rows])
    source = write(small_corpus / f"table.{ending}", stream.getvalue())
    assert [item.class_text for item in source.items()] == ["a; b", "z"]


def test_a_table_of_another_encoding_is_refused_with_how_to_mend_it(small_corpus):
    table = small_corpus / "table.csv"
    table.write_bytes("path,label\na/1.png,ä\n".encode("utf-16"))
    with pytest.raises(InputError, match=r"UTF-8.*iconv"):
        list(ManifestSource(str(table)).items())
