import argparse
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from effnet import effnet, effnet_in_new_interpreter, effnet_without_tensorflow

from pipeline import cli

CLASSES = ["ant", "bee", "cat"]
CONFIG = "data: {path: pictures}\nevaluation: {min_top_1: 0.9}\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory, pictures, write_model, right_answers) -> Path:
    """An output folder with two pushed versions; the newer one is right."""
    folder = tmp_path_factory.mktemp("run [1] *?")
    model = folder / "serving" / "animals"
    write_model(model / "999", right_answers(pictures, 3, wrong=40), CLASSES)
    write_model(model / "1000", right_answers(pictures, 3), CLASSES)
    (model / ".pushing-2000-abc").mkdir()
    return folder


@pytest.fixture
def images(tmp_path, pictures) -> Path:
    """A folder with three pictures and a file that is none."""
    folder = tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    for name, i in (("b.png", 1), ("a.png", 0), ("sub/ä c.png", 2)):
        (folder / name).write_bytes(pictures[i])
    (folder / "broken.png").write_bytes(b"\x89PNG broken")
    (folder / ".hidden.png").write_bytes(pictures[3])
    return folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "missing.yaml"], "cannot be read"),
        (["run", "config.yaml", "--set", "trainer.max_epoch=1"], "did you mean 'max_epochs'?"),
        (["run", "config.yaml"], "data.path must be a folder"),
        (["run", "config.yaml", "--until", "evaluatr"], "did you mean 'Evaluator'?"),
        (["run", "config.yaml", "--from", "x"], "is none of ImageExampleGen, StatisticsGen"),
        (["run", "config.yaml", "--explain_cache", "--from", "Pusher"], "explains whole runs"),
        (["run", "config.yaml", "--explain-cache", "--from", "Pusher"], "explains whole runs"),
        (["rnu", "config.yaml"], "COMMAND must be one of demo-data, run, train, "),
        (["rnu", "config.yaml"], "Received: 'rnu'; did you mean 'run'?"),
        (["demo-data", "digit", "x"], "must be one of digits. Received: 'digit'; did you mean 'di"),
        (["run", "config.yaml", "--outputdir", "x"], "did you mean --output_dir?"),
        (["run", "config.yaml", "--out-put-dir=x"], "did you mean --output_dir?"),
        (["predict", ".", "x.png", "--topk", "1"], "did you mean --top_k?"),
        (["train", "--max-epoch=1"], "did you mean --max_epochs?"),
        (["train", "--max-epochs=0"], "max_epochs: must be 1 or more. Received: 0"),
        ([], "the following arguments are required: COMMAND"),
        (["predict", "missing", "config.yaml"], "MODEL must be a SavedModel"),
        (["predict", ".", "missing.png"], "IMAGE must be a file or a folder"),
        (["predict", ".", "empty"], "holds no files"),
        (["predict", ".", "-", "--output", "t.csv", "--num_workers", "2"], "standard input"),
    ],
)
def test_wrong_input_ends_with_2_and_one_line_before_tensorflow_is_loaded(
    tmp_path, arguments, message
):
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "empty").mkdir()
    done = effnet_without_tensorflow(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert not (tmp_path / "runs").exists()


def test_predict_walks_folders_and_lists_bad_pictures(served, images, tmp_path):
    done = effnet_in_new_interpreter("predict", served, images, "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(line["file"]).name for line in lines] == [
        "a.png",
        "b.png",
        "broken.png",
        "ä c.png",
    ]
    assert [line.get("label") for line in lines] == ["ant", "bee", None, "cat"]
    assert lines[2]["error"].startswith("cannot be decoded")
    assert lines[0]["probability"] == pytest.approx(0.9)
    assert [entry["label"] for entry in lines[0]["top_k"]] == CLASSES


@pytest.mark.parametrize("arguments", [["-"], ["-", "a.png", "-"]])
def test_predict_reads_standard_input(served, images, pictures, tmp_path, arguments):
    done = effnet_in_new_interpreter(
        "predict", served, *arguments, "--json", cwd=images, stdin=pictures[2]
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["file"] for line in lines] == arguments
    assert [line["label"] for line in lines] == ["cat" if a == "-" else "ant" for a in arguments]


@pytest.mark.parametrize(
    ("stdin", "message"), [(b"", "none of 1 files"), (b"no picture", "none of 1 files")]
)
def test_predict_says_what_is_wrong_with_standard_input(served, tmp_path, stdin, message):
    done = effnet_in_new_interpreter("predict", served, "-", cwd=tmp_path, stdin=stdin)
    assert done.returncode == 2
    assert message in done.stderr
    assert "cannot be decoded" in done.stdout


def test_predict_prints_an_aligned_table(served, images, tmp_path):
    older = served / "serving" / "animals" / "999"
    done = effnet("predict", older, images / "a.png", images / "broken.png", "--top_k", 1,
                   cwd=tmp_path)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    assert first.split()[1:] == ["bee", "0.9000"]
    assert "cannot be decoded" in second
    assert first.index("bee") == second.index("cannot")


def test_predict_with_nothing_readable_or_a_broken_model(served, images, tmp_path):
    done = effnet("predict", served, images / "broken.png", cwd=tmp_path)
    assert done.returncode == 2
    assert "none of 1 files is a readable picture" in done.stderr
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "saved_model.pb").write_bytes(b"broken")
    done = effnet("predict", tmp_path / "broken", images, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "does not load" in done.stderr


def test_the_help_has_an_example_and_the_exit_statuses(tmp_path):
    done = effnet_without_tensorflow("--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for command in ("demo-data", "run", "train", "predict", "evaluate", "bless"):
        assert re.search(rf"^ +{command}\s+\w", done.stdout, re.M)
    assert "  effnet run configs/digits.yaml " in done.stdout
    assert re.findall(r"^  (\d)  \w", done.stdout, re.M) == ["0", "1", "2", "3"]


def test_the_help_of_train_shows_groups_choices_and_defaults(tmp_path):
    done = effnet_without_tensorflow("train", "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    words = " ".join(done.stdout.split())
    assert "--optimizer VALUE" in words
    assert "rmsprop" in words[words.index("--optimizer VALUE") :][:200]
    assert re.search(
        r"--max_epochs VALUE .{0,80}\[whole number, at least 1; default: 350[;\]]", words
    )


def options_of(parser: argparse.ArgumentParser) -> list[str]:
    """All long options; each short one is another name of a long one."""
    spelled = [action.option_strings for action in parser._actions]
    long = [[name for name in names if name.startswith("--")] for names in spelled]
    assert [names for names, kept in zip(spelled, long, strict=True) if names and not kept] == []
    short = {name for names in spelled for name in names} - {n for kept in long for n in kept}
    assert {len(name) for name in short} <= {2}
    return [name for kept in long for name in kept]


def test_options_are_spelled_with_underscores():
    parser, commands = cli._parsers()
    every = [parser, *commands.choices.values()]
    options = [name for one in every for name in options_of(one)]
    assert len(options) > 80
    assert [name for name in options if not re.fullmatch(r"--[a-z0-9_]+", name)] == []


@pytest.mark.parametrize(
    ("command", "library"),
    [
        (["effnet", "train", "--data_dir", "x", "--model_dir", "y"], "pydantic_core"),
        (["effnet", "train", "--data_dir", "x", "--model_dir", "y"], "numpy"),
        (["python", "-m", "preprocessing", "x", "y"], "pydantic_core"),
    ],
)
def test_ctrl_c_while_the_libraries_are_loaded_prints_nothing(tmp_path, command, library):
    process = subprocess.Popen(
        [Path(sys.executable).with_name(command[0]), *command[1:]],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while library not in Path(f"/proc/{process.pid}/maps").read_text():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate()
    name = "effnet" if command[0] == "effnet" else " ".join(command[:3])
    # Or the process was through with its imports before the signal came.
    said = [""] if process.returncode == -signal.SIGINT else [f"{name}: interrupted\n"]
    assert output in [*said, ""]
    assert process.returncode in (-signal.SIGINT, 130, 2)


def test_version_names_the_stack(tmp_path):
    done = effnet_in_new_interpreter("--version", cwd=tmp_path)
    assert done.returncode == 0
    assert "tensorflow 2." in done.stdout
