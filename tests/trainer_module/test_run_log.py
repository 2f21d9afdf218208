"""What a training writes of itself, and what the person sees of it."""

import io
import json

import pytest
from rich.console import Console

from trainer_module.job import train_log
from trainer_module.job.display import Display
from trainer_module.run_files import LOG_FILE
from trainer_module.run_log import RunLog

INTERVAL = {
    "step": 40,
    "epoch": 2.5,
    "stage": 1,
    "img_size": 48,
    "loss": 0.25,
    "top_1_train": 0.875,
    "lr": 0.001,
    "images_per_sec": 123.4,
    "eta_secs": 83.5,
}
SHOWN = ("stage 2", "48 px", "epoch 2.50", "loss 0.2500", "top-1 0.8750", "123.4 images/s", "1:23")
EVALUATED = {"top_1": 0.5, "top_5": 0.75, "loss": 1.25, "examples": 50, "not_finite": 0}
CURSOR_SHOWN = "\x1b[?25h"


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


def display(screen: io.StringIO, terminal: bool) -> Display:
    console = Console(file=screen, force_terminal=terminal, width=160, highlight=False)
    return Display(console)


@pytest.fixture
def log(tmp_path) -> RunLog:
    """The log of a rank that a supervisor shows."""
    return RunLog(str(tmp_path), True, 80)


def write_all(log: RunLog) -> None:
    log.message("[exporting]")
    log.progress(INTERVAL)
    log.evaluation(40, 2.5, "ema", EVALUATED)


def test_without_a_terminal_there_are_plain_lines(tmp_path, screen):
    log = RunLog(str(tmp_path), True, 80, display(screen, False))
    write_all(log)
    log.close()
    message, interval, evaluation = screen.getvalue().splitlines()
    assert message == "[exporting]"
    assert all(text in interval for text in ("step 40/80", *SHOWN))
    assert evaluation == (
        "evaluation at epoch 2.50 (ema weights): top-1 0.5000, top-5 0.7500, loss 1.2500"
    )


def test_a_terminal_has_a_bar_that_goes_away(tmp_path, screen):
    log = RunLog(str(tmp_path), True, 80, display(screen, True))
    log.progress(INTERVAL)
    log.message("evaluation")
    log.close()
    drawn = screen.getvalue()
    assert all(text in drawn for text in ("50%", *SHOWN))
    assert drawn.count("\x1b[?25l") == drawn.count(CURSOR_SHOWN) == 1  # the cursor is back
    line, message = map(json.loads, (tmp_path / LOG_FILE).read_text().splitlines())
    assert line["total_steps"] == 80
    assert message == {"message": "evaluation"}


@pytest.mark.parametrize("terminal", [True, False])
def test_a_supervisor_shows_what_a_rank_would_show(tmp_path, log, screen, capsys, terminal):
    follower, its_display = train_log.Follower(tmp_path), display(screen, terminal)
    write_all(log)
    assert capsys.readouterr().out == ""
    for entry in follower.read_new():
        its_display.show(entry)
    its_display.close()
    own_screen = io.StringIO()
    own = RunLog(str(tmp_path / "other"), True, 80, display(own_screen, terminal))
    write_all(own)
    own.close()
    assert screen.getvalue() == own_screen.getvalue()
    assert all(text in screen.getvalue() for text in SHOWN)


def test_a_log_that_was_cut_off_is_followed_from_its_beginning(tmp_path, log):
    log.message("a long line before")
    follower = train_log.Follower(tmp_path)
    (tmp_path / LOG_FILE).write_text("")
    log.message("new")
    assert follower.read_new() == [{"message": "new"}]
    assert follower.read_new() == []


def test_only_the_first_rank_writes(tmp_path, screen):
    write_all(RunLog(str(tmp_path), False, 80, display(screen, False)))
    assert screen.getvalue() == ""
    assert not (tmp_path / LOG_FILE).exists()
