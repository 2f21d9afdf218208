"""What the person sees of a training."""

import io
import json

import pytest
from rich.console import Console

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


@pytest.fixture
def show(tmp_path):
    def make(terminal: bool) -> tuple[RunLog, io.StringIO]:
        screen = io.StringIO()
        console = Console(file=screen, force_terminal=terminal, width=160, highlight=False)
        return RunLog(str(tmp_path), True, 80, console=console), screen

    return make


def test_without_a_terminal_there_are_plain_lines(show):
    log, screen = show(False)
    log.progress(INTERVAL)
    log.say("[exporting]")
    log.close()
    first, second = screen.getvalue().splitlines()
    assert all(text in first for text in ("step 40/80", *SHOWN))
    assert second == "[exporting]"


def test_a_terminal_has_a_bar_that_goes_away(show, tmp_path):
    log, screen = show(True)
    log.progress(INTERVAL)
    log.say("evaluation")
    log.close()
    drawn = screen.getvalue()
    assert all(text in drawn for text in ("50%", *SHOWN))
    assert drawn.count("\x1b[?25l") == drawn.count("\x1b[?25h") == 1  # the cursor is back
    [line] = (tmp_path / LOG_FILE).read_text().splitlines()
    assert json.loads(line)["total_steps"] == 80


def test_only_the_first_rank_tells(tmp_path, capsys):
    log = RunLog(str(tmp_path), False, 80)
    log.progress(INTERVAL)
    log.say("nothing")
    assert capsys.readouterr().out == ""
    assert not (tmp_path / LOG_FILE).exists()
