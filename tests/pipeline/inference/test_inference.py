"""`effnet predict` and `effnet evaluate` on real files and a model that knows them by heart."""

import csv
import io
import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import tiny_export
from effnet import effnet
from nasty_corpus import huge_png
from picture_files import RGB
from PIL import Image
from rich.console import Console

from pipeline.commands import evaluate
from pipeline.inference import bulk, labelled_images, picture_files, view
from pipeline.inference.classifier import Classifier, Prediction
from preprocessing.errors import InputError

CLASSES = ["ant", "bee", "cat"]


@pytest.fixture(scope="module")
def model(tmp_path_factory, pictures, write_model, right_answers) -> Path:
    folder = tmp_path_factory.mktemp("model [1] *?") / "1"
    return write_model(folder, right_answers(pictures, len(CLASSES)), CLASSES)


@pytest.fixture(scope="module")
def loaded(model) -> Classifier:
    return Classifier.load(model)


@pytest.fixture
def folder(tmp_path, pictures) -> Path:
    """40 pictures, one with an odd name, and three files that are none."""
    images = tmp_path / "images"
    (images / "sub").mkdir(parents=True)
    for number, picture in enumerate(pictures):
        (images / f"{number:03d}.png").write_bytes(picture)
    (images / "039.png").rename(images / "sub" / 'ä, "b" c.png')
    (images / "bad.jpg").write_bytes(b"no picture")
    (images / "empty.png").write_bytes(b"")
    (images / "sub" / "dead link.png").symlink_to("nowhere")
    return images


def rows_of(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("ending", [".parquet", ".csv"])
def test_a_folder_becomes_a_table_and_bad_pictures_stand_beside_it(
    model, folder, tmp_path, monkeypatch, ending
):
    monkeypatch.setattr(bulk, "FILES_A_PART", 16)  # several parts
    output = tmp_path / f"table{ending}"
    files = picture_files.list_files([str(folder)])
    assert bulk.run(model, files, output, top_k=2, num_workers=1) == 40
    if ending == ".parquet":
        table = pq.read_table(output)
        header, rows = table.column_names, list(zip(*table.to_pydict().values(), strict=True))
    else:
        header, *rows = rows_of(output)
    assert header == ["file", "label_1", "probability_1", "label_2", "probability_2"]
    names = [Path(row[0]).name for row in rows]
    assert names == [f"{number:03d}.png" for number in range(39)] + ['ä, "b" c.png']
    assert [row[1] for row in rows] == [CLASSES[number % 3] for number in range(40)]
    assert float(rows[0][2]) == pytest.approx(0.9)
    header, *bad = rows_of(tmp_path / "table.bad.csv")
    assert header == ["file", "error"]
    assert [(Path(file).name, error) for file, error in bad] == [
        ("bad.jpg", "cannot be decoded: unknown format"),
        ("empty.png", "cannot be decoded: empty file"),
        ("dead link.png", "cannot be read: No such file or directory"),
    ]
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"images", output.name, "table.bad.csv"}


@pytest.mark.parametrize("ending", [".parquet", ".csv"])
def test_relative_paths_and_names_that_look_like_patterns(
    model, folder, tmp_path, monkeypatch, ending
):
    monkeypatch.chdir(tmp_path)
    images = Path("images [a-z]*?")
    (tmp_path / "images").rename(images)
    output = Path(f"table [1]*?{ending}")
    files = list(picture_files.list_files([str(images)]))
    assert bulk.run(Path(os.path.relpath(model)), files, output, top_k=1, num_workers=1) == 40
    table = pq.read_table(output)["file"].to_pylist() if ending == ".parquet" else rows_of(output)
    assert str(images / "000.png") in (table if ending == ".parquet" else table[1])
    assert Path.cwd() == tmp_path


def test_a_table_of_nothing_but_bad_pictures(model, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    output = tmp_path / "table.csv"
    files = [str(tmp_path / "bad.jpg")]
    assert bulk.run(model, files, output, top_k=2, num_workers=1) == 0
    assert rows_of(output) == [["file"]]
    assert len(rows_of(tmp_path / "table.bad.csv")) == 2


@pytest.mark.parametrize("output", ["table.txt", "missing/table.csv"])
def test_outputs_that_cannot_be_written_are_refused(model, tmp_path, output):
    with pytest.raises(InputError, match="--output must"):
        bulk.run(model, [], tmp_path / output, top_k=2, num_workers=1)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Classifier:
    return Classifier.load(tiny_export.write(tmp_path_factory.mktemp("tiny") / "model"))


@pytest.mark.parametrize("file_format", ["webp", "tiff", "avif"])
def test_what_tensorflow_does_not_read_gets_an_answer_and_copies_of_a_path_too(
    tiny, tmp_path, file_format
):
    file = tmp_path / f"picture.{file_format}"
    RGB.save(file)
    one, other = tiny.predict([str(file), str(file)], 3)
    assert one.error is None
    assert one == other
    assert len(one.top_k) == 3


def test_a_picture_with_too_many_pixels_is_neither_shown_nor_classified(tiny, tmp_path):
    file = tmp_path / "huge.png"
    file.write_bytes(huge_png())  # 110 kB that would take gigabytes
    assert view.thumbnail(str(file)).plain == ""
    [prediction] = tiny.predict([str(file)], 3)
    assert prediction.error == "cannot be decoded: too many pixels: 30000 x 30000"
    exact, more = tmp_path / "exact.png", tmp_path / "more.png"
    Image.new("L", (1000, tiny_export.MAX_PIXELS // 1000)).save(exact)
    Image.new("L", (1000, tiny_export.MAX_PIXELS // 1000 + 1)).save(more)
    one, other = tiny.predict([str(exact), str(more)], 3)
    assert one.error is None
    assert other.error.startswith("cannot be decoded: too many pixels")


def test_a_terminal_shows_the_picture_and_bars(folder):
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, color_system="truecolor", width=90)
    # Picture 0 has the colour (0, 255, 0).
    view.show(console, Prediction(str(folder / "000.png"), [("ant", 0.75)]))
    shown = stream.getvalue()
    assert "38;2;0;255;0;48;2;0;255;0m▀" in shown
    assert "█" * 18 in shown
    assert "█" * 19 not in shown
    assert "0.7500" in shown
    view.show(console, Prediction(str(folder / "bad.jpg"), error="cannot be decoded"))
    assert "cannot be decoded" in stream.getvalue()


def test_odd_names_and_files_stop_nothing_and_steer_no_terminal(model, loaded, tmp_path, pictures):
    data = tmp_path / "data"
    names = ["new\nline.png", "esc\x1b[31m.png", os.fsdecode(b"\xff.png"), "plain.png"]
    for number, name in enumerate(names):
        folder = data / CLASSES[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(pictures[number % 3])
    os.mkfifo(data / "ant" / "pipe.png")
    for litter in ("Thumbs.db", "__MACOSX/x.png", ".hidden.png"):
        (data / litter).parent.mkdir(exist_ok=True)
        (data / litter).write_bytes(b"x")
    files = list(picture_files.list_files([str(data)]))
    predictions = loaded.predict(files, 1)
    assert {Path(p.file).name: p.error for p in predictions} == dict.fromkeys(names) | {
        "pipe.png": "cannot be read: not a regular file"
    }
    lines = view.table(predictions)
    assert len(lines) == 5
    assert all(line.isprintable() for line in lines)
    assert any(r"new\nline.png" in line for line in lines)
    stream = io.StringIO()
    for prediction in predictions:
        view.show(Console(file=stream, width=300), prediction)
        prediction.to_json().encode()
    assert r"esc\x1b[31m.png" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()
    (data / "ant" / "bad\n.png").write_bytes(b"no picture")
    result = evaluate.measure(loaded, labelled_images.read(str(data)), batch_size=8)
    assert (result.images, result.top_1, result.unreadable) == (4, 4, 2)
    done = effnet("evaluate", model, "data", cwd=tmp_path)
    assert done.returncode == 0
    assert r"bad\n.png" in done.stdout


def test_a_shells_pipe_is_a_picture(loaded, pictures):
    end, begin = os.pipe()
    os.write(begin, pictures[1])
    os.close(begin)
    prediction, again = loaded.predict([f"/dev/fd/{end}"] * 2, 1)
    os.close(end)
    assert prediction == again
    assert prediction.top_k[0][0] == "bee"


def test_evaluation_counts_what_is_right(loaded, tmp_path, pictures):
    for number, picture in enumerate(pictures):
        # Two of 40 lie in the wrong folder, one in a folder of a class that the model lacks.
        name = {0: "bee", 1: "cat", 2: "dog"}.get(number, CLASSES[number % 3])
        (tmp_path / "data" / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name / f"{number}.png").write_bytes(picture)
    (tmp_path / "data" / "ant" / "bad.png").write_bytes(b"no picture")
    images = labelled_images.read(str(tmp_path / "data"))
    result = evaluate.measure(loaded, images, batch_size=8)
    assert (result.images, result.unreadable) == (40, 1)
    assert (result.top_1, result.top_5) == (37, 39)
    assert [Path(name).name for name in result.names] == ["bad.png"]
    assert len(result.latencies_ms) == 4  # of six batches neither the first nor the short one
    latency = result.to_dict()["latency_ms"]
    assert 0 < latency["avg"] <= latency["p99"]
    assert latency["p90"] <= latency["p95"] <= latency["p99"]


@pytest.mark.parametrize("layout", ["validation-00000-of-00001", "Split-eval/eval-00000-of-00001"])
def test_evaluation_reads_records(loaded, tmp_path, pictures, write_records, layout):
    rows = [(picture, CLASSES[number % 3]) for number, picture in enumerate(pictures[:9])]
    write_records(tmp_path / layout, rows)
    result = evaluate.measure(loaded, labelled_images.read(str(tmp_path)), batch_size=4)
    assert (result.images, result.top_1, result.unreadable) == (9, 9, 0)


def test_a_folder_that_is_no_dataset_is_refused(tmp_path):
    (tmp_path / "empty class").mkdir()
    (tmp_path / "picture.png").write_bytes(b"")
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InputError, match="DATA must"):
            labelled_images.read(str(path))


def test_the_commands_print_and_exit_as_documented(model, folder, tmp_path):
    (tmp_path / "data").mkdir()
    for name in CLASSES:
        (tmp_path / "data" / name).mkdir()
    (tmp_path / "data" / "ant" / "a.png").write_bytes((folder / "000.png").read_bytes())

    done = effnet("evaluate", model, "data", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["top_1"] == 1.0
    done = effnet("evaluate", model, "images", cwd=tmp_path)
    assert done.returncode == 2
    assert "DATA" in done.stderr
    assert done.stderr.count("\n") == 1
    done = effnet(
        "predict", model, "images", "--output", "table.parquet", "--top_k", "1", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "40 predictions in table.parquet",
        "3 files without an answer, listed in table.bad.csv",
    ]
    assert "Traceback" not in done.stderr
